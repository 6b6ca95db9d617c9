//! What a recorder writes of a whole run, read by others.

mod common;

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs, process};

use common::{CLIENT, CLIENT6, SERVER, SERVER6, endpoint, run_out};
use synfin_link::pcapng::Section;
use synfin_sim::apps::{receiver, sender};
use synfin_sim::{LinkConfig, Loss, Pattern, Ppm, Recorder, World, host};

/// A file that is removed at the end.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        fs::remove_file(&self.0).unwrap_or_default();
    }
}

/// A lossy transfer over both IP versions, recorded.
fn capture() -> (Vec<u8>, u64) {
    let mut world = World::new(1);
    let a = world.add_node("client", host(&[CLIENT, CLIENT6]));
    let b = world.add_node("server", host(&[SERVER, SERVER6]));
    let bad = LinkConfig {
        loss: Loss::Independent(Ppm::percent(2)),
        duplicate: Ppm::percent(10),
        ..LinkConfig::default()
    };
    world.join(a, b, bad.clone(), bad);
    for addr in [SERVER, SERVER6] {
        world.add_app(b, receiver(endpoint(addr), Pattern(1), 50_000));
        world.add_app(a, sender(endpoint(addr), Pattern(1), 50_000));
    }
    let section = Section { application: "synfin-sim", comment: "seed 1" };
    let Ok(recorder) = Recorder::new(Vec::new(), section, ["client", "server"]);
    let recorder = world.observe(recorder);
    run_out(&mut world);
    let tally = world.tally();
    let recorder: &mut Recorder<Vec<u8>> = world.observer_mut(recorder).unwrap();
    assert!(recorder.error().is_none());
    // Each packet where it leaves and where it arrives.
    (std::mem::take(recorder.get_mut()), tally.sent + tally.arrived)
}

#[test]
fn tshark_finds_nothing_malformed() {
    if !Command::new("tshark").arg("--version").output().is_ok_and(|out| out.status.success()) {
        println!("skipped: tshark is not installed");
        return;
    }
    let (bytes, packets) = capture();
    let file = Temporary(env::temp_dir().join(format!("synfin-sim-{}.pcapng", process::id())));
    fs::write(&file.0, bytes).unwrap();
    let count = |filter: &str| {
        let mut tshark = Command::new("tshark");
        tshark.arg("-r").arg(&file.0).args(["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"]);
        let out = tshark.args(["-Y", filter, "-T", "fields", "-e", "frame.number"]).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        out.stdout.iter().filter(|b| **b == b'\n').count() as u64
    };
    assert_eq!(count("tcp"), packets);
    assert_eq!(count("_ws.malformed"), 0);
    assert_eq!(count("tcp.checksum.status == Good"), packets);
    assert_eq!(count("ip.checksum.status == Bad"), 0);
    assert!(count("frame.comment contains \"lost: on the wire\"") > 0);
    assert!(count("frame.comment contains \"arrives twice\"") > 0);
}
