//! A layered layout: layers by the longest way from a start, order by barycentres, positions by
//! isotonic regression.
//!
//! After Sugiyama, Tagawa and Toda (1981). All of it is linear in nodes and edges but for sorting,
//! with a fixed number of sweeps, so that large graphs are drawn too.

/// Sweeps down and up that order the layers.
const ORDER_SWEEPS: usize = 6;
/// Sweeps up and down that move nodes towards their neighbours; the last goes down, so that chains
/// stand straight.
const POSITION_SWEEPS: usize = 13;
/// Bends of long edges that are routed; beyond it edges are drawn straight through.
const MOST_BENDS: usize = 50_000;

/// A node's place: its centre across, and its layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place {
    pub(super) x: f64,
    pub(super) layer: usize,
}

#[derive(Debug)]
pub(super) struct Layout {
    pub(super) places: Vec<Place>,
    /// For every edge, the bends between its ends, from the earlier to the later.
    pub(super) bends: Vec<Vec<Place>>,
    pub(super) layers: usize,
    pub(super) width: f64,
}

/// Nodes are numbered in topological order; `widths` includes the gap to the neighbour.
pub(super) fn layered(widths: &[f64], edges: &[(usize, usize)], bend_width: f64) -> Layout {
    let nodes = widths.len();
    let mut layer = vec![0usize; nodes];
    let mut sorted = edges.to_vec();
    sorted.sort_by_key(|(_, later)| *later);
    for (earlier, later) in sorted {
        layer[later] = layer[later].max(layer[earlier] + 1);
    }
    let mut widths = widths.to_vec();
    let bends_needed: usize = edges.iter().map(|(a, b)| layer[*b] - layer[*a] - 1).sum();
    let routed = bends_needed <= MOST_BENDS;
    // Every edge as a chain of nodes, bends included, so that neighbours are always one layer
    // apart.
    let chains: Vec<Vec<usize>> = edges
        .iter()
        .map(|(earlier, later)| {
            let mut chain = vec![*earlier];
            for between in layer[*earlier] + 1..layer[*later] {
                if routed {
                    chain.push(widths.len());
                    widths.push(bend_width);
                    layer.push(between);
                }
            }
            chain.push(*later);
            chain
        })
        .collect();
    let mut sketch = Sketch::new(widths, layer, &chains);
    sketch.order();
    sketch.position();
    let place = |n: usize| Place { x: sketch.x[n], layer: sketch.layer[n] };
    let right = (0..sketch.x.len()).map(|n| sketch.x[n] + sketch.widths[n] / 2.0);
    Layout {
        places: (0..nodes).map(place).collect(),
        bends: chains
            .iter()
            .map(|chain| chain[1..chain.len() - 1].iter().map(|n| place(*n)).collect())
            .collect(),
        layers: sketch.rows.len(),
        width: right.fold(0.0, f64::max),
    }
}

struct Sketch {
    widths: Vec<f64>,
    layer: Vec<usize>,
    above: Vec<Vec<usize>>,
    below: Vec<Vec<usize>>,
    /// Nodes of each layer from left to right.
    rows: Vec<Vec<usize>>,
    /// Centres.
    x: Vec<f64>,
}

impl Sketch {
    fn new(widths: Vec<f64>, layer: Vec<usize>, chains: &[Vec<usize>]) -> Sketch {
        let mut above = vec![Vec::new(); widths.len()];
        let mut below = vec![Vec::new(); widths.len()];
        for pair in chains.iter().flat_map(|chain| chain.windows(2)) {
            above[pair[1]].push(pair[0]);
            below[pair[0]].push(pair[1]);
        }
        let mut rows = vec![Vec::new(); layer.iter().max().map_or(0, |last| last + 1)];
        for (n, layer) in layer.iter().enumerate() {
            rows[*layer].push(n);
        }
        let x = vec![0.0; widths.len()];
        Sketch { widths, layer, above, below, rows, x }
    }

    /// Orders each layer by the mean place of its neighbours, down and up in turn, so that edges
    /// cross less.
    fn order(&mut self) {
        let mut rank = vec![0.0; self.x.len()];
        for row in &self.rows {
            for (at, n) in row.iter().enumerate() {
                rank[*n] = at as f64;
            }
        }
        for sweep in 0..ORDER_SWEEPS {
            let down = sweep % 2 == 0;
            let neighbours = if down { &self.above } else { &self.below };
            let count = self.rows.len();
            for step in 0..count {
                let row = &mut self.rows[if down { step } else { count - 1 - step }];
                for n in row.iter() {
                    rank[*n] = mean(&neighbours[*n], &rank).unwrap_or(rank[*n]);
                }
                row.sort_by(|a, b| rank[*a].total_cmp(&rank[*b]).then(a.cmp(b)));
                for (at, n) in row.iter().enumerate() {
                    rank[*n] = at as f64;
                }
            }
        }
    }

    /// Moves every node towards its neighbours as far as its layer's order and widths allow.
    fn position(&mut self) {
        for sweep in 0..POSITION_SWEEPS {
            let down = sweep % 2 == 0;
            for at in 0..self.rows.len() {
                let row = &self.rows[if down { at } else { self.rows.len() - 1 - at }];
                let neighbours = if down { &self.above } else { &self.below };
                let wanted: Vec<f64> = row
                    .iter()
                    .map(|n| mean(&neighbours[*n], &self.x).unwrap_or(self.x[*n]))
                    .collect();
                let widths: Vec<f64> = row.iter().map(|n| self.widths[*n]).collect();
                for (n, x) in row.iter().zip(spread(&wanted, &widths)) {
                    self.x[*n] = x;
                }
            }
        }
        let left = (0..self.x.len()).map(|n| self.x[n] - self.widths[n] / 2.0);
        let left = left.fold(f64::INFINITY, f64::min);
        for x in &mut self.x {
            *x -= left;
        }
    }
}

fn mean(of: &[usize], values: &[f64]) -> Option<f64> {
    (!of.is_empty()).then(|| of.iter().map(|n| values[*n]).sum::<f64>() / of.len() as f64)
}

/// Centres as near as possible (least squares) to those wanted, in the given order and without
/// overlap: pool adjacent violators, after taking the widths out.
fn spread(wanted: &[f64], widths: &[f64]) -> Vec<f64> {
    let mut offsets = Vec::with_capacity(wanted.len());
    let mut offset = 0.0;
    for (at, width) in widths.iter().enumerate() {
        if at > 0 {
            offset += (widths[at - 1] + width) / 2.0;
        }
        offsets.push(offset);
    }
    // Pools of (sum, count); each pool stands at its mean.
    let mut pools: Vec<(f64, usize)> = Vec::new();
    for (wanted, offset) in wanted.iter().zip(&offsets) {
        pools.push((wanted - offset, 1));
        while let [.., (a, n), (b, m)] = pools[..]
            && a / n as f64 > b / m as f64
        {
            pools.truncate(pools.len() - 2);
            pools.push((a + b, n + m));
        }
    }
    let places =
        pools.iter().flat_map(|(sum, count)| std::iter::repeat_n(sum / *count as f64, *count));
    places.zip(offsets).map(|(place, offset)| place + offset).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn long_edges_bend_around_the_layers_between() {
        let layout = layered(&[10.0; 3], &[(0, 1), (1, 2), (0, 2)], 4.0);
        assert_eq!(layout.layers, 3);
        assert_eq!(layout.places.iter().map(|p| p.layer).collect::<Vec<_>>(), [0, 1, 2]);
        let bend = layout.bends[2][0];
        assert_eq!(bend.layer, 1);
        assert!((bend.x - layout.places[1].x).abs() >= 7.0 - 1e-9);
    }

    proptest! {
        #[test]
        fn nodes_never_overlap(n in 1usize..25, picks in prop::collection::vec((0usize..25, 0usize..25), 0..60)) {
            let edges: Vec<(usize, usize)> =
                picks.into_iter().filter(|(a, b)| a < b && *b < n).collect();
            let widths: Vec<f64> = (0..n).map(|i| 20.0 + (i % 5) as f64 * 13.0).collect();
            let layout = layered(&widths, &edges, 5.0);
            prop_assert_eq!(layout.places.len(), n);
            for (a, b) in &edges {
                prop_assert!(layout.places[*a].layer < layout.places[*b].layer);
            }
            for a in 0..n {
                prop_assert!(layout.places[a].x - widths[a] / 2.0 >= -1e-6);
                for b in 0..a {
                    let (p, q) = (layout.places[a], layout.places[b]);
                    let apart = (p.x - q.x).abs() + 1e-6 >= (widths[a] + widths[b]) / 2.0;
                    prop_assert!(p.layer != q.layer || apart);
                }
            }
        }
    }
}
