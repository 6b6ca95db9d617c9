use std::string::String;
use std::vec::Vec;

use synfin_wire::{Flags, Instant, Seq};

use crate::*;

#[test]
fn one_object_a_row_with_sorted_keys() {
    let options = Options { format: Format::Json, ..Options::default() };
    let client = End::new(Role::Client, "10.9.0.1:46070").state(State::Closed);
    let mut ladder = Ladder::new(client, End::new(Role::Server, "s\"\\\u{1}"), options);
    let mut syn = Segment::new(Side::Left, Flags::SYN, Seq::new(7), Seq::new(0));
    syn.departed = Some(Instant::from_nanos(5));
    syn.arrived = Some(Instant::from_nanos(105));
    ladder.push(Event::Segment(syn));
    let mut out = String::new();
    ladder.finish(&mut out);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(
        lines[0],
        r#"{"left":{"address":"10.9.0.1:46070","certainty":"certain","role":"client","stack":"","state":"CLOSED"},"right":{"address":"s\"\\\u0001","certainty":null,"role":"server","stack":"","state":null},"schema":"synfin.ladder/1","type":"head"}"#
    );
    assert_eq!(
        lines[1],
        r#"{"ack":0,"fate":"delivered","flags":"SYN","from":"left","id":0,"left":{"certainty":null,"ns":5,"state":null},"len":0,"letter":null,"life":1,"mark":null,"options":"","part":"whole","right":{"certainty":null,"ns":105,"state":null},"schema":"synfin.ladder/1","seq":0,"type":"segment","window":null,"words":{"en":"\"I want to talk; my bytes are numbered from 0.\"","key":"seg.syn","zh":"“我要通话，我的字节从 0 号编起。”"}}"#
    );
}
