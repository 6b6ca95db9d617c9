"""The client of the classic example: connects, prints the greeting, answers `byebye`.

    python3 client.py ADDRESS PORT
"""

import socket
import sys


def main():
    address, port = sys.argv[1], int(sys.argv[2])
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    client = socket.socket(family, socket.SOCK_STREAM)
    client.connect((address, port))
    greeting = client.recv(1024)
    print("server said:", greeting.decode())
    client.sendall(b"byebye")
    client.close()


main()
