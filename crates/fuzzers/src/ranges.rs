//! Target `ranges`: the receive queue against one mark for each octet.

use synfin_tcp::Pool;
use synfin_tcp::recv::{RANGES_PER_CHUNK, RecvQueue, Vec4};
use synfin_wire::Seq;

use crate::input::Input;

/// More steps than this are left out: a run should take milliseconds.
const STEPS: usize = 150;

/// Octets of window that pieces fall into.
const WINDOW: usize = 6000;
/// RCV.NXT at the beginning: numbers wrap soon.
const START: Seq = Seq::new(u32::MAX - 5000);

/// The stream from the first unread octet on: what is there, as first received.
#[derive(Default)]
struct Model {
    octets: Vec<Option<u8>>,
    /// Octets at the front that are in order.
    ready: usize,
    /// Octets in order since the beginning.
    next: u32,
    /// Where the FIN lies, counted from the first unread octet.
    fin: Option<usize>,
}

/// Runs one input.
pub fn run(data: &[u8]) {
    let mut u = Input::new(data);
    let limit = u.pick(&[1 << 30, 5 * 4096, 0]);
    let (mut pool, mut queue, mut model) =
        (Pool::new(limit, 4 << 20), RecvQueue::default(), Model::default());
    let max_ranges = u.pick(&[4096, 1, 3]);
    let mut salt = 0u8;
    for _ in 0..STEPS {
        if u.is_over() {
            break;
        }
        salt = salt.wrapping_add(101);
        match u.below(8) {
            0..5 => {
                let ahead = match u.below(4) {
                    0 => 0,
                    1 => usize::from(u.octet()),
                    _ => usize::from(u.half()) % WINDOW,
                };
                let len = 1 + if u.one_in(2) { usize::from(u.octet()) } else { usize::from(u.half()) % 2500 };
                let piece: Vec<u8> = (0..len).map(|i| (i as u8).wrapping_mul(31) ^ salt).collect();
                model.take(&mut queue, &mut pool, ahead, &piece, max_ranges);
            }
            5 | 6 => {
                let n = usize::from(u.half()) % 9000;
                model.read(&mut queue, &mut pool, n);
            }
            _ => {
                let ahead = usize::from(u.octet());
                queue.hold_fin(ahead as u32);
                model.fin.get_or_insert(model.ready + ahead);
            }
        }
        model.check(&queue, &pool, limit);
    }
    queue.clear(&mut pool);
    assert_eq!((pool.used(), queue.readable(), queue.has_gap()), (0, 0, false), "left in the end");
}

impl Model {
    fn take(
        &mut self,
        queue: &mut RecvQueue,
        pool: &mut Pool,
        ahead: usize,
        piece: &[u8],
        max_ranges: usize,
    ) {
        let (start, end) = (self.ready + ahead, self.ready + ahead + piece.len());
        if self.octets.len() < end {
            self.octets.resize(end, None);
        }
        let before = self.runs();
        let done = queue.take(pool, ahead as u32, piece, max_ranges);
        // What is there now is told by the queue; here it is only checked that it can be so.
        let (ready, mut fresh) = (queue.readable() as usize, 0);
        assert!(ready >= self.ready, "octets in order vanish");
        let held: Vec<(usize, usize)> =
            queue.held().iter().map(|(a, b)| (ready + *a as usize, ready + *b as usize)).collect();
        let mut there = vec![false; self.octets.len()];
        there[..ready].fill(true);
        for (a, b) in held.iter().copied() {
            there.get_mut(a..b).expect("only octets that came").fill(true);
        }
        for (at, (octet, there)) in self.octets.iter_mut().zip(there).enumerate() {
            if octet.is_some() {
                assert!(there, "octet {at} vanishes: {done:?}");
            } else if there {
                assert!((start..end).contains(&at), "octet {at} came from nowhere: {done:?}");
                *octet = piece.get(at - start).copied();
                fresh += 1;
            }
        }
        let missing = self.octets[start..end].iter().filter(|o| o.is_none()).count();
        assert_eq!(done.refused as usize, missing, "refused: {done:?}");
        assert_eq!(done.advanced as usize, ready - self.ready, "advanced: {done:?}");
        if ahead > 0 {
            assert_eq!(done.held as usize, fresh, "held: {done:?}");
        }
        // Only a full pool or too many ranges excuse a refusal.
        if missing > 0 {
            let touches = before.iter().any(|(a, b)| *a <= end && start <= *b);
            let most = max_ranges.min(RANGES_PER_CHUNK);
            let ranges_full = ahead > 0 && before.len() >= most && !touches;
            let room = 2 * 4096 + piece.len() < pool_room(pool);
            assert!(ranges_full || !room, "refused without need: {done:?}");
        }
        self.next += done.advanced;
        self.ready = ready;
        self.blocks(queue, start, ahead > 0 && missing == 0);
    }

    /// RFC 2018 4: blocks are what is held, the first is the one with the latest arrival.
    fn blocks(&self, queue: &RecvQueue, latest: usize, out_of_order: bool) {
        let mut blocks = Vec4::default();
        let rcv_nxt = START + self.next;
        queue.sack_blocks(rcv_nxt, &mut blocks);
        // A FIN that waits has a number too: it ends the block before it, or is one of its own.
        let mut held = queue.held();
        let fin = self.fin.map(|at| at.wrapping_sub(self.ready)).filter(|at| (1..1 << 24).contains(at));
        let fin = fin.map(|at| at as u32);
        match (fin, held.iter_mut().find(|(_, to)| Some(*to) == fin)) {
            (Some(_), Some((_, to))) => *to += 1,
            (Some(at), None) => held.push((at, at + 1)),
            (None, _) => {}
        }
        let mut said = Vec::new();
        for block in &blocks.blocks[..usize::from(blocks.len)] {
            let (a, b) = (block.left.since(rcv_nxt), block.right.since(rcv_nxt));
            assert!(held.contains(&(a, b)), "{a}..{b} is no range: {held:?}");
            assert!(!said.contains(&(a, b)), "{a}..{b} twice");
            said.push((a, b));
        }
        if out_of_order && latest >= self.ready {
            let at = (latest - self.ready) as u32;
            let first = said.first().is_some_and(|(a, b)| (*a..*b).contains(&at));
            assert!(first, "the first block is not of the latest arrival at {at}: {said:?}");
        }
    }

    fn read(&mut self, queue: &mut RecvQueue, pool: &mut Pool, n: usize) {
        let (mut peeked, mut into) = (vec![0; n], vec![0; n]);
        let most = queue.peek(&mut peeked);
        let got = queue.read(pool, &mut into);
        assert_eq!((most, &peeked), (got, &into), "peek and read differ");
        assert_eq!(got, n.min(self.ready), "octets read");
        let want: Vec<Option<u8>> = self.octets.drain(..got).collect();
        let read: Vec<Option<u8>> = into[..got].iter().copied().map(Some).collect();
        assert!(read == want, "not what was received first");
        self.ready -= got;
        self.fin = self.fin.map(|at| at.wrapping_sub(got));
    }

    /// Ranges behind the first gap, by looking at every octet.
    fn runs(&self) -> Vec<(usize, usize)> {
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for (at, _) in self.octets.iter().enumerate().skip(self.ready).filter(|(_, o)| o.is_some()) {
            match runs.last_mut() {
                Some((_, end)) if *end == at => *end += 1,
                _ => runs.push((at, at + 1)),
            }
        }
        runs
    }

    fn check(&self, queue: &RecvQueue, pool: &Pool, limit: usize) {
        assert_eq!(queue.readable() as usize, self.ready);
        let held: Vec<(usize, usize)> =
            queue.held().iter().map(|(a, b)| (self.ready + *a as usize, self.ready + *b as usize)).collect();
        assert_eq!(held, self.runs(), "ranges");
        assert_eq!(queue.has_gap(), !held.is_empty() || self.fin.is_some());
        assert_eq!(queue.fin_due(), self.fin == Some(self.ready), "FIN");
        // What is in order gets a chunk whatever the pool says, also when the last octet before it filled one.
        assert!(pool.used() <= limit + 2 * 4096, "{} octets of {limit}", pool.used());
    }
}

/// Octets that the pool can still give.
fn pool_room(pool: &Pool) -> usize {
    if pool.scarce() { 0 } else { (1 << 30) - pool.used() }
}
