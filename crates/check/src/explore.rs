//! Visits every state that can be reached, depth first, and then asks the graph of states about its future.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::hash::{BuildHasherDefault, Hasher};
use std::time::{Duration, Instant};

use crate::scenario::Scenario;
use crate::trace;
use crate::world::{Action, World};

/// Steps that are told behind a state without a good future.
const GOES_ON: usize = 40;

/// How much work an exploration may be.
#[derive(Copy, Clone, Debug)]
pub struct Limits {
    /// States.
    pub states: usize,
    /// When to stop.
    pub until: Option<Instant>,
}

/// What an exploration found.
#[derive(Clone, Debug)]
pub struct Report {
    /// States visited.
    pub states: usize,
    /// Steps between them.
    pub steps: usize,
    /// Longest path walked.
    pub depth: usize,
    /// States in which everything is over.
    pub over: usize,
    /// Whether all states were visited; else a limit was reached.
    pub complete: bool,
    /// How long it took.
    pub took: Duration,
    /// A property that does not hold, with the shortest known way there.
    pub fault: Option<String>,
}

/// Fingerprints are hashes already.
#[derive(Default)]
struct Ready(u64);

impl Hasher for Ready {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for b in bytes {
            self.0 = self.0 << 8 | u64::from(*b);
        }
    }
    fn write_u64(&mut self, n: u64) {
        self.0 = n;
    }
}

type Seen = HashMap<u64, u32, BuildHasherDefault<Ready>>;

/// A step between two states.
#[derive(Copy, Clone)]
struct Edge {
    from: u32,
    to: u32,
    /// Its place in [`World::actions`] of `from`.
    nth: u8,
    /// The network does its duty at once, and nothing else: such steps alone must not form a cycle.
    delivery: bool,
}

struct Frame {
    world: World,
    actions: Vec<Action>,
    next: usize,
    id: u32,
}

/// Explores a scenario.
pub fn explore(sc: &Scenario, limits: Limits) -> Report {
    let started = Instant::now();
    let mut graph = Graph { edges: Vec::new(), over: Vec::new(), states: 1 };
    let mut seen = Seen::default();
    let mut depth = 0;
    let mut complete = true;
    let mut fault = None;
    let root = World::new(sc);
    seen.insert(root.fingerprint(sc), 0);
    let mut stack = vec![frame(sc, root, 0)];
    while let Some(top) = stack.last_mut() {
        let Some(action) = top.actions.get(top.next).copied() else {
            stack.pop();
            continue;
        };
        let nth = top.next as u8;
        top.next += 1;
        let from = top.id;
        let mut world = top.world.clone();
        if let Err(why) = world.step(sc, action) {
            fault = Some((why, from, Some(nth)));
            break;
        }
        let delivery = matches!(action, Action::Deliver(..) | Action::Emit(_));
        let new = graph.states as u32;
        let to = *seen.entry(world.fingerprint(sc)).or_insert(new);
        if !(to == from && matches!(action, Action::Emit(_))) {
            graph.edges.push(Edge { from, to, nth, delivery });
        }
        if to != new {
            continue;
        }
        graph.states += 1;
        if world.is_over(sc) {
            graph.over.push(to);
        }
        if graph.states >= limits.states
            || (graph.states.is_multiple_of(1024) && limits.until.is_some_and(|t| Instant::now() >= t))
        {
            complete = false;
            break;
        }
        stack.push(frame(sc, world, to));
        depth = depth.max(stack.len());
    }
    drop(stack);
    drop(seen);
    if fault.is_none() && complete {
        fault =
            graph.stuck().map(|s| ("from here nothing leads to the end of all records".to_owned(), s, None));
    }
    if fault.is_none() {
        fault = graph
            .cycle()
            .map(|s| ("segments answer each other for ever without time passing".to_owned(), s, None));
    }
    Report {
        states: graph.states,
        steps: graph.edges.len(),
        depth,
        over: graph.over.len(),
        complete,
        took: started.elapsed(),
        fault: fault.map(|(why, at, then)| {
            let mut path = graph.path_to(at);
            path.extend(then);
            trace::tell(sc, &path, &why, if then.is_some() { 0 } else { GOES_ON })
        }),
    }
}

fn frame(sc: &Scenario, world: World, id: u32) -> Frame {
    let mut actions = Vec::new();
    world.actions(sc, &mut actions);
    Frame { world, actions, next: 0, id }
}

struct Graph {
    edges: Vec<Edge>,
    over: Vec<u32>,
    states: usize,
}

/// Edges by one of their ends: those of node `n` are `items[starts[n]..starts[n + 1]]`.
struct Index {
    starts: Vec<u32>,
    items: Vec<u32>,
}

impl Index {
    fn of(&self, n: u32) -> &[u32] {
        &self.items[self.starts[n as usize] as usize..self.starts[n as usize + 1] as usize]
    }
}

impl Graph {
    fn index(&self, key: impl Fn(&Edge) -> u32, keep: impl Fn(&Edge) -> bool) -> Index {
        let mut starts = vec![0u32; self.states + 2];
        for e in self.edges.iter().filter(|e| keep(e)) {
            starts[key(e) as usize + 2] += 1;
        }
        for n in 2..starts.len() {
            starts[n] += starts[n - 1];
        }
        let mut items = vec![0; *starts.last().unwrap_or(&0) as usize];
        for (i, e) in self.edges.iter().enumerate().filter(|(_, e)| keep(e)) {
            let at = &mut starts[key(e) as usize + 1];
            items[*at as usize] = i as u32;
            *at += 1;
        }
        starts.pop();
        Index { starts, items }
    }

    /// A state from which no path leads to one where all is over.
    fn stuck(&self) -> Option<u32> {
        let into = self.index(|e| e.to, |_| true);
        let mut good = vec![false; self.states];
        let mut todo = self.over.clone();
        todo.iter().for_each(|n| good[*n as usize] = true);
        while let Some(n) = todo.pop() {
            for i in into.of(n) {
                let from = self.edges[*i as usize].from;
                if !std::mem::replace(&mut good[from as usize], true) {
                    todo.push(from);
                }
            }
        }
        good.iter().position(|g| !g).map(|n| n as u32)
    }

    /// A state on a cycle of deliveries: what is left when states without such a step in front are taken away.
    fn cycle(&self) -> Option<u32> {
        let out = self.index(|e| e.from, |e| e.delivery);
        let mut before = vec![0u32; self.states];
        self.edges.iter().filter(|e| e.delivery).for_each(|e| before[e.to as usize] += 1);
        let mut todo: Vec<u32> = (0..self.states as u32).filter(|n| before[*n as usize] == 0).collect();
        let mut left = self.states;
        while let Some(n) = todo.pop() {
            left -= 1;
            for i in out.of(n) {
                let to = self.edges[*i as usize].to;
                before[to as usize] -= 1;
                if before[to as usize] == 0 {
                    todo.push(to);
                }
            }
        }
        // What only lies behind a cycle is left too: walk back until a state comes again.
        if left == 0 {
            return None;
        }
        let mut at = before.iter().position(|b| *b > 0)? as u32;
        let into = self.index(|e| e.to, |e| e.delivery);
        let mut walked = vec![false; self.states];
        while !std::mem::replace(&mut walked[at as usize], true) {
            let prior = into.of(at).iter().map(|i| self.edges[*i as usize].from);
            at = prior.into_iter().find(|p| before[*p as usize] > 0)?;
        }
        Some(at)
    }

    /// The shortest known path from the beginning to a state, as places in the lists of actions.
    fn path_to(&self, goal: u32) -> Vec<u8> {
        let out = self.index(|e| e.from, |_| true);
        let mut came: Vec<Option<u32>> = vec![None; self.states];
        let mut todo = VecDeque::from([0]);
        while let Some(n) = todo.pop_front() {
            for i in out.of(n) {
                let to = self.edges[*i as usize].to;
                if to != 0 && came[to as usize].is_none() {
                    came[to as usize] = Some(*i);
                    todo.push_back(to);
                }
            }
        }
        let mut path = Vec::new();
        let mut at = goal;
        while let Some(i) = came[at as usize] {
            let e = self.edges[i as usize];
            path.push(e.nth);
            at = e.from;
        }
        path.reverse();
        path
    }
}

#[cfg(test)]
mod tests;
