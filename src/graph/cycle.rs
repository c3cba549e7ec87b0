//! Finding and showing cycles: steps that wait for each other.

use std::collections::VecDeque;
use std::fmt;

use petgraph::algo::kosaraju_scc;
use petgraph::graph::DiGraph;

use super::links::Links;
use crate::model::Address;

/// Longer cycles are shown by their ends.
const SHOWN_WHOLE: usize = 12;
const SHOWN_HEAD: usize = 4;
const SHOWN_TAIL: usize = 2;

/// Steps of which each waits for the next, and the last for the first. Begins with the smallest
/// address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cycle(pub Vec<Address>);

impl fmt::Display for Cycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cycle(members) = self;
        let (head, tail) = if members.len() > SHOWN_WHOLE {
            (&members[..SHOWN_HEAD], &members[members.len() - SHOWN_TAIL..])
        } else {
            (&members[..], &members[..0])
        };
        for member in head {
            write!(f, "{member} → ")?;
        }
        if !tail.is_empty() {
            write!(f, "… ({} more) → ", members.len() - head.len() - tail.len())?;
        }
        for member in tail {
            write!(f, "{member} → ")?;
        }
        match members.first() {
            Some(first) => write!(f, "{first}"),
            None => Ok(()),
        }
    }
}

pub(super) fn list(cycles: &[Cycle]) -> String {
    cycles.iter().map(Cycle::to_string).collect::<Vec<_>>().join("; ")
}

/// One cycle, the shortest through its smallest node, of every group of nodes that can reach each
/// other. Nodes are numbered in the order of their addresses; `waits_for` leads from a node to
/// those it waits for.
///
/// Kosaraju's algorithm rather than Tarjan's, because petgraph's Tarjan recurses as deep as the
/// graph is long.
pub(super) fn find(waits_for: &Links, suspects: &[u32]) -> Vec<Vec<u32>> {
    let mut graph = DiGraph::<u32, (), u32>::with_capacity(suspects.len(), suspects.len());
    let mut number = vec![None; waits_for.nodes()];
    for suspect in suspects {
        number[*suspect as usize] = Some(graph.add_node(*suspect));
    }
    for suspect in suspects {
        for other in waits_for.of(*suspect) {
            if let (Some(from), Some(to)) = (number[*suspect as usize], number[*other as usize]) {
                graph.add_edge(from, to, ());
            }
        }
    }
    let mut group_of = vec![None; waits_for.nodes()];
    let groups = kosaraju_scc(&graph);
    for (group, members) in groups.iter().enumerate() {
        for member in members {
            group_of[graph[*member] as usize] = Some(group);
        }
    }
    let mut cycles: Vec<Vec<u32>> = groups
        .iter()
        .filter_map(|members| members.iter().map(|member| graph[*member]).min())
        .filter_map(|first| shortest_through(first, waits_for, &group_of))
        .collect();
    cycles.sort();
    cycles
}

/// Breadth first from a node back to itself, inside its group.
fn shortest_through(first: u32, waits_for: &Links, group_of: &[Option<usize>]) -> Option<Vec<u32>> {
    let mut came_from = std::collections::HashMap::new();
    let mut queue = VecDeque::from([first]);
    while let Some(node) = queue.pop_front() {
        for next in waits_for.of(node) {
            if *next == first {
                let mut cycle = vec![node];
                while let Some(before) = came_from.get(&cycle[cycle.len() - 1]) {
                    cycle.push(*before);
                }
                cycle.reverse();
                return Some(cycle);
            }
            let same_group = group_of[*next as usize] == group_of[first as usize];
            if same_group && !came_from.contains_key(next) {
                came_from.insert(*next, node);
                queue.push_back(*next);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::StepKind;

    #[test]
    fn cycles_are_found_whole_and_apart() {
        // 0 → 1 → 2 → 0 with a detour 1 → 3 → 2; 4 waits for itself; 5 waits for a cycle without
        // being in one.
        let edges = [(0, 1), (1, 2), (2, 0), (1, 3), (3, 2), (4, 4), (5, 4)];
        let found = find(&Links::new(6, &edges), &[0, 1, 2, 3, 4, 5]);
        assert_eq!(found, [vec![0, 1, 2], vec![4]]);
    }

    #[test]
    fn long_cycles_are_shortened() {
        let members =
            |n: usize| (0..n).map(|i| Address::new(StepKind::Run, format!("s{i}"))).collect();
        assert_eq!(Cycle(members(2)).to_string(), "run.s0 → run.s1 → run.s0");
        assert_eq!(
            Cycle(members(10_000)).to_string(),
            "run.s0 → run.s1 → run.s2 → run.s3 → … (9994 more) → run.s9998 → run.s9999 → run.s0"
        );
    }

    #[test]
    fn a_cycle_of_a_hundred_thousand_does_not_exhaust_the_stack() {
        let n = 100_000;
        let edges: Vec<_> = (0..n).map(|i| (i, (i + 1) % n)).collect();
        let all: Vec<u32> = (0..n).collect();
        assert_eq!(find(&Links::new(n as usize, &edges), &all)[0].len(), n as usize);
    }
}
