//! The page about the state table: drawing and table, both read off [`State::on`].

use std::collections::BTreeMap;
use std::fmt::Write;

use synfin_tcp::{State, Trigger};

/// Triggers that close from this many states or more are listed under the drawing instead of drawn.
const TOO_MANY_TO_DRAW: usize = 4;

/// What a trigger is, for people.
fn words(trigger: Trigger) -> &'static str {
    match trigger {
        Trigger::Connect => "active OPEN",
        Trigger::Listen => "passive OPEN",
        Trigger::RcvSyn => "SYN arrives",
        Trigger::RcvSynAck => "SYN,ACK arrives",
        Trigger::RcvAckOfSyn => "ACK of our SYN",
        Trigger::Close => "CLOSE",
        Trigger::RcvFin => "FIN arrives",
        Trigger::RcvAckOfFin => "ACK of our FIN",
        Trigger::RcvRst => "RST arrives",
        Trigger::Abort => "ABORT",
        Trigger::Timeout => "limit reached",
        Trigger::TimeWaitOver => "2 MSL over",
        Trigger::RcvIcmp => "hard ICMP error",
    }
}

/// Triggers that lead to CLOSED from nearly everywhere.
pub fn endings() -> Vec<Trigger> {
    let ends = |trigger: &Trigger| {
        let next: Vec<State> = State::ALL.into_iter().filter_map(|state| state.on(*trigger)).collect();
        next.len() >= TOO_MANY_TO_DRAW && next.into_iter().all(|state| state == State::Closed)
    };
    Trigger::ALL.into_iter().filter(ends).collect()
}

/// What is drawn: by places of the states in `State::ALL`, the triggers that lead from the first to the second.
pub fn edges() -> BTreeMap<(usize, usize), Vec<Trigger>> {
    let mut edges: BTreeMap<(usize, usize), Vec<Trigger>> = BTreeMap::new();
    for from in State::ALL {
        for trigger in Trigger::ALL.into_iter().filter(|trigger| !endings().contains(trigger)) {
            if let Some(to) = from.on(trigger) {
                edges.entry((from as usize, to as usize)).or_default().push(trigger);
            }
        }
    }
    edges
}

fn drawing(out: &mut String) -> std::fmt::Result {
    writeln!(out, "```mermaid\nstateDiagram-v2")?;
    writeln!(out, "    [*] --> {}", State::Closed)?;
    for ((from, to), triggers) in edges() {
        let label: Vec<&str> = triggers.into_iter().map(words).collect();
        writeln!(out, "    {} --> {}: {}", State::ALL[from], State::ALL[to], label.join(" / "))?;
    }
    writeln!(out, "```")
}

fn table(out: &mut String) -> std::fmt::Result {
    write!(out, "| state |")?;
    for trigger in Trigger::ALL {
        write!(out, " {} |", words(trigger))?;
    }
    writeln!(out, "\n|---|{}", "---|".repeat(Trigger::ALL.len()))?;
    for from in State::ALL {
        write!(out, "| **{from}** |")?;
        for trigger in Trigger::ALL {
            match from.on(trigger) {
                Some(to) => write!(out, " {to} |")?,
                None => write!(out, " |")?,
            }
        }
        writeln!(out)?;
    }
    Ok(())
}

fn predicates(out: &mut String) -> std::fmt::Result {
    writeln!(out, "| state | synchronized | takes text | application may write |\n|---|---|---|---|")?;
    for state in State::ALL {
        let yes = |is: bool| if is { "yes" } else { "" };
        writeln!(
            out,
            "| {state} | {} | {} | {} |",
            yes(state.synchronized()),
            yes(state.receives()),
            yes(state.sends())
        )?;
    }
    Ok(())
}

fn write_page(out: &mut String) -> std::fmt::Result {
    out.push_str(
        "# The state table\n\n\
         This page is generated from `synfin_tcp::State::on`, the one table by which connections change state; a test\n\
         fails when the two differ. After a change of the table, make the page anew:\n\n\
         ```sh\ncargo run -q -p synfin-tcp --example state_diagram > docs/state-table.md\n```\n\n\
         The table says which state follows; which segment counts as which trigger is decided before, in the order of\n\
         RFC 9293 3.10.7 (see [control-flow.md](control-flow.md)). An empty cell means that the trigger changes\n\
         nothing in that state.\n\n",
    );
    drawing(out)?;
    let ending: Vec<&str> = endings().into_iter().map(words).collect();
    writeln!(out, "\nNot drawn, because nearly every state has them: to CLOSED by {}.\n", ending.join(", "))?;
    out.push_str(
        "Some of it has conditions that stand elsewhere: a RST ends TIME_WAIT only with `Quirks::RST_ENDS_TIME_WAIT`\n\
         (RFC 1337), a hard ICMP error ends SYN_SENT and SYN_RCVD only (RFC 5927), and no call turns a listener into an\n\
         active connection, though RFC 9293 would allow it.\n\n",
    );
    out.push_str("## Which state follows\n\n");
    table(out)?;
    out.push_str("\n## What a state allows\n\n");
    predicates(out)?;
    out.push_str(
        "\n## Where the states live\n\n\
         | states | record | owner |\n|---|---|---|\n\
         | CLOSED | none: absence of a record | |\n\
         | LISTEN | listener, found by local endpoint | `synfin-net`, `listener.rs` |\n\
         | SYN_RCVD by passive open | `SynRecord`, without buffers | `synfin-tcp`, `syn.rs` |\n\
         | SYN_SENT, SYN_RCVD by crossing SYNs, ESTABLISHED to LAST_ACK | `Connection` | `synfin-tcp`, `connection.rs` |\n\
         | TIME_WAIT | `TimeWait`, without buffers | `synfin-tcp`, `timewait.rs` |\n",
    );
    Ok(())
}

/// The whole page.
pub fn page() -> String {
    let mut out = String::new();
    write_page(&mut out).expect("writing to a string cannot fail");
    out
}
