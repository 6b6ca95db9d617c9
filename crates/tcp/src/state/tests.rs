use super::*;

/// The eight states after the handshake are exactly: our half (open, FIN sent, FIN acknowledged) x the peer's half
/// (open, FIN seen) x, when both ended, whose end came first.
#[derive(Copy, Clone, PartialEq, Debug)]
enum Half {
    Open,
    Fin,
    Acked,
}

fn from_halves(ours: Half, peer_fin: bool, peer_first: bool) -> State {
    match (ours, peer_fin, peer_first) {
        (Half::Open, false, _) => State::Established,
        (Half::Fin, false, _) => State::FinWait1,
        (Half::Acked, false, _) => State::FinWait2,
        (Half::Open, true, _) => State::CloseWait,
        (Half::Fin, true, true) => State::LastAck,
        (Half::Fin, true, false) => State::Closing,
        (Half::Acked, true, true) => State::Closed,
        (Half::Acked, true, false) => State::TimeWait,
    }
}

#[test]
fn the_table_is_the_product_of_two_halves() {
    // Every order of the three events that can end a connection.
    let orders = [
        [Trigger::Close, Trigger::RcvAckOfFin, Trigger::RcvFin],
        [Trigger::Close, Trigger::RcvFin, Trigger::RcvAckOfFin],
        [Trigger::RcvFin, Trigger::Close, Trigger::RcvAckOfFin],
    ];
    for order in orders {
        let (mut ours, mut peer, mut peer_first) = (Half::Open, false, false);
        let mut state = State::Established;
        for t in order {
            match t {
                Trigger::Close => ours = Half::Fin,
                Trigger::RcvAckOfFin => ours = Half::Acked,
                _ => {
                    peer = true;
                    peer_first = ours == Half::Open;
                }
            }
            state = state.on(t).unwrap();
            assert_eq!(state, from_halves(ours, peer, peer_first), "{order:?} at {t:?}");
        }
    }
}

#[test]
fn handshakes_of_figures_6_and_7() {
    let walk = |from: State, by: &[Trigger]| by.iter().try_fold(from, |s, t| s.on(*t));
    assert_eq!(walk(State::Closed, &[Trigger::Connect, Trigger::RcvSynAck]), Some(State::Established));
    assert_eq!(walk(State::Closed, &[Trigger::Listen, Trigger::RcvSyn]), Some(State::SynReceived));
    assert_eq!(
        walk(State::Closed, &[Trigger::Connect, Trigger::RcvSyn, Trigger::RcvAckOfSyn]),
        Some(State::Established)
    );
}

#[test]
fn closed_is_left_only_by_open_and_reached_from_everywhere() {
    for t in [Trigger::RcvSyn, Trigger::Close, Trigger::RcvFin, Trigger::RcvRst, Trigger::Abort] {
        assert_eq!(State::Closed.on(t), None);
    }
    for s in State::ALL.into_iter().filter(|s| *s != State::Closed) {
        assert_eq!(s.on(Trigger::Abort), Some(State::Closed), "{s}");
    }
}

#[test]
fn predicates_agree_with_the_table() {
    for s in State::ALL {
        assert_eq!(s.receives(), s.on(Trigger::RcvFin).is_some(), "{s}: text is taken until FIN can be");
        if s.synchronized() {
            assert_eq!(s.sends(), s.on(Trigger::Close).is_some(), "{s}: writing ends where CLOSE does");
        }
    }
}
