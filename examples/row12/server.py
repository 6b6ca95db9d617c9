"""The server of the classic example: waits for a client, sends `hello`, prints the answer.

    python3 server.py ADDRESS PORT
"""

import socket
import sys


def main():
    address, port = sys.argv[1], int(sys.argv[2])
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    server = socket.socket(family, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, port))
    server.listen()
    connection, client = server.accept()
    connection.sendall(b"hello")
    answer = connection.recv(1024)
    print("client said:", answer.decode())
    connection.close()
    server.close()


main()
