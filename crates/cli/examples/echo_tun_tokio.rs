//! The same with tasks instead of threads.
//!
//! `cargo build -p synfin-cli --example echo_tun_tokio && sudo target/debug/examples/echo_tun_tokio`

use std::error::Error;

use synfin::Net;
use synfin::tokio::TcpListener;
use synfin_tun::Tun;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let device = Tun::builder().kernel_address("10.9.0.1/24".parse()?).build()?;
    let net = Net::builder().address([10, 9, 0, 2], 24).start(device)?;

    let listener = TcpListener::bind(&net, "10.9.0.2:7").await?;
    loop {
        let (mut stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            let (mut reader, mut writer) = stream.split();
            tokio::io::copy(&mut reader, &mut writer).await
        });
    }
}
