//! Target `script`: octets as a packetdrill script. Reading it ends with a script or an error that names a line of it;
//! running what could be read ends, and a second time it ends the same way.

use synfin_script::{Options, Profile, parse, run_with};

/// Longer scripts are only read: a run should take milliseconds.
const EVENTS: usize = 60;

/// Runs one input.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let script = match parse(&text, "fuzz.pkt") {
        Ok(script) => script,
        Err(error) => {
            let lines = text.lines().count().max(1) as u32 + 1;
            assert!((1..=lines).contains(&error.line), "line {} of {lines}: {error}", error.line);
            return assert!(!error.message.is_empty() && error.to_string().starts_with("fuzz.pkt:"));
        }
    };
    if script.events.len() > EVENTS {
        return;
    }
    for profile in [Profile::rfc(), Profile::linux()] {
        let options = Options::new(profile);
        let (first, second) = (run_with(&script, &options), run_with(&script, &options));
        assert_eq!(first.verdict, second.verdict, "two runs differ");
        assert_eq!((first.notes, first.elapsed), (second.notes, second.elapsed), "two runs differ");
    }
}
