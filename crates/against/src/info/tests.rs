use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;

use super::fields;

#[test]
fn a_connection_tells_of_itself() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    client.write_all(&[7; 300]).unwrap();
    server.read_exact(&mut [0; 300]).unwrap();
    let (there, here) = (fields(server.as_fd()), fields(client.as_fd()));
    assert_eq!(here["tcpi_state"], 1);
    assert_eq!(there["tcpi_bytes_received"], 300);
    assert_eq!(there["tcpi_data_segs_in"], here["tcpi_data_segs_out"]);
    if let Some(sent) = here.get("tcpi_bytes_sent") {
        assert_eq!(*sent, 300);
    }
    assert!(here["tcpi_snd_mss"] > 500 && here["tcpi_snd_cwnd"] > 0);
    assert_eq!(here["tcpi_snd_wscale"], there["tcpi_rcv_wscale"]);
}
