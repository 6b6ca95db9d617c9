//! What the two programs of the demonstration do: the same steps whichever TCP is under them.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use synfin_explain::Side;

/// What the server says first.
const HELLO: &str = "hello";
/// What the client answers.
const BYEBYE: &str = "byebye";
/// What the other end says after the first one has closed.
const LATE: &str = "one more thing";

/// One thing that a program does.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Does something else for so long: ACKs get time to go alone.
    Pause(Duration),
    /// Writes this.
    Say(&'static str),
    /// Reads this.
    Hear(&'static str),
    /// Reads the end of the peer's stream.
    HearEnd,
    /// Closes its own direction and goes on reading.
    CloseWrite,
}

/// The steps of the client (left) or server (right); `first` closes first. At their end the program lets go of
/// the connection.
pub fn steps(side: Side, first: Side) -> Vec<Step> {
    let pause = |ms| Step::Pause(Duration::from_millis(ms));
    let mut steps = match side {
        Side::Left => vec![Step::Hear(HELLO), pause(120), Step::Say(BYEBYE)],
        Side::Right => vec![pause(120), Step::Say(HELLO), Step::Hear(BYEBYE)],
    };
    if side == first {
        steps.extend([pause(250), Step::CloseWrite, Step::Hear(LATE), Step::HearEnd]);
    } else {
        steps.extend([Step::HearEnd, pause(250), Step::Say(LATE), pause(150)]);
    }
    steps
}

/// A blocking stream of either TCP.
pub trait Stream: Read + Write {
    /// Closes our direction.
    fn close_write(&mut self) -> io::Result<()>;
}

impl Stream for std::net::TcpStream {
    fn close_write(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

impl Stream for synfin::blocking::TcpStream {
    fn close_write(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

/// Goes through the steps, and lets go of the stream.
pub fn play(mut stream: impl Stream, steps: &[Step]) -> io::Result<()> {
    for step in steps {
        match *step {
            Step::Pause(time) => std::thread::sleep(time),
            Step::Say(text) => stream.write_all(text.as_bytes())?,
            Step::Hear(text) => {
                let mut heard = vec![0; text.len()];
                stream.read_exact(&mut heard)?;
                if heard != text.as_bytes() {
                    return Err(io::Error::other("the peer said something else than the story has"));
                }
            }
            Step::HearEnd => {
                if stream.read(&mut [0])? != 0 {
                    return Err(io::Error::other("the peer said more than the story has"));
                }
            }
            Step::CloseWrite => stream.close_write()?,
        }
    }
    Ok(())
}
