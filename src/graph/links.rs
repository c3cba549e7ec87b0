//! Adjacency between numbered nodes, packed in two flat lists.
//!
//! Must not: leave this module; numbers mean nothing outside of the graph that gave them.

/// For every node, the nodes that its edges lead to.
#[derive(Clone, Debug, Default)]
pub(super) struct Links {
    /// `ends[starts[n]..starts[n + 1]]` are the ends of node `n`'s edges.
    starts: Vec<u32>,
    ends: Vec<u32>,
}

impl Links {
    /// Packs edges (from, to), in time and space linear in nodes and edges.
    pub(super) fn new(nodes: usize, edges: &[(u32, u32)]) -> Links {
        let mut starts = vec![0u32; nodes + 1];
        for (from, _) in edges {
            starts[*from as usize + 1] += 1;
        }
        for node in 0..nodes {
            starts[node + 1] += starts[node];
        }
        let mut next = starts.clone();
        let mut ends = vec![0u32; edges.len()];
        for (from, to) in edges {
            let slot = &mut next[*from as usize];
            ends[*slot as usize] = *to;
            *slot += 1;
        }
        Links { starts, ends }
    }

    pub(super) fn of(&self, node: u32) -> &[u32] {
        let range = self.starts[node as usize]..self.starts[node as usize + 1];
        &self.ends[range.start as usize..range.end as usize]
    }

    pub(super) fn nodes(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    pub(super) fn reversed(&self) -> Links {
        let edges: Vec<(u32, u32)> = (0..self.nodes() as u32)
            .flat_map(|from| self.of(from).iter().map(move |to| (*to, from)))
            .collect();
        Links::new(self.nodes(), &edges)
    }

    /// How many edges arrive at each node.
    pub(super) fn arriving(&self) -> Vec<u32> {
        let mut counts = vec![0; self.nodes()];
        for end in &self.ends {
            counts[*end as usize] += 1;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_are_found_from_both_ends() {
        let links = Links::new(4, &[(0, 2), (1, 2), (0, 3)]);
        assert_eq!(links.of(0), [2, 3]);
        assert_eq!(links.of(2), [] as [u32; 0]);
        assert_eq!(links.reversed().of(2), [0, 1]);
        assert_eq!(links.arriving(), [0, 0, 2, 1]);
    }
}
