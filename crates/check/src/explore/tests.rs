use super::*;

fn graph(states: usize, over: &[u32], edges: &[(u32, u32, bool)]) -> Graph {
    let edge =
        |(n, &(from, to, delivery)): (usize, &(u32, u32, bool))| Edge { from, to, nth: n as u8, delivery };
    Graph { edges: edges.iter().enumerate().map(edge).collect(), over: over.to_vec(), states }
}

#[test]
fn stuck_states_are_those_that_cannot_reach_the_end() {
    // 0 -> 1 -> 2 (over); 1 -> 3 <-> 4
    let edges = [(0, 1, true), (1, 2, true), (1, 3, false), (3, 4, true), (4, 3, false)];
    assert_eq!(graph(5, &[2], &edges).stuck(), Some(3));
    assert_eq!(graph(5, &[2, 4], &edges).stuck(), None);
}

#[test]
fn only_cycles_of_deliveries_are_storms() {
    let timed = [(0, 1, true), (1, 2, true), (2, 1, false)];
    assert_eq!(graph(3, &[], &timed).cycle(), None);
    // Behind the cycle hangs a tail that is not part of it.
    let storm = [(0, 1, true), (1, 2, true), (2, 1, true), (2, 3, true)];
    assert!(matches!(graph(4, &[], &storm).cycle(), Some(1 | 2)));
    assert_eq!(graph(1, &[], &[(0, 0, true)]).cycle(), Some(0));
}

#[test]
fn the_shortest_path_is_told() {
    let edges = [(0, 1, true), (1, 2, true), (2, 3, true), (0, 3, false)];
    let g = graph(4, &[], &edges);
    assert_eq!(g.path_to(3), [3]);
    assert_eq!(g.path_to(2), [0, 1]);
    assert_eq!(g.path_to(0), [0; 0]);
}
