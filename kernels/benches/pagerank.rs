//! Question: how long does personalized PageRank take, over the whole graph and pushed from its seeds?
//!
//! `cargo bench -p indago-kernels --bench pagerank -- serve FILE` reads an undirected graph and sets
//! of seeds (`benches/pagerank_side_by_side.py` writes them) and answers commands: `whole` and
//! `push` by the seconds that all sets take one after the other, `top whole|push` by the ten best
//! nodes of each, `mass` by the first set's mass of every node. Without arguments it times a small
//! graph.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::io::BufRead as _;
use std::time::Instant;

use indago_core::Cancel;
use indago_kernels::pagerank::{Graph, Transitions, Walk, pagerank, push};

mod measured;
use measured::measured;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Held by a node that is not worth going on from, relative to its degree.
const PUSHED: f32 = 1e-6;

struct Walks {
    starts: Vec<u32>,
    targets: Vec<u32>,
    weights: Vec<f32>,
    transitions: Transitions,
    seeds: Vec<Vec<(u32, f32)>>,
}

impl Walks {
    fn new(nodes: usize, edges: &[(u32, u32, f32)], seeds: Vec<Vec<(u32, f32)>>) -> Outcome<Self> {
        let mut starts = vec![0_u32; nodes + 1];
        for (a, b, _) in edges {
            starts[*a as usize + 1] += 1;
            starts[*b as usize + 1] += 1;
        }
        for i in 0..nodes {
            starts[i + 1] += starts[i];
        }
        let mut next = starts.clone();
        let mut targets = vec![0; 2 * edges.len()];
        let mut weights = vec![0.0; 2 * edges.len()];
        for (a, b, weight) in edges {
            for (from, to) in [(a, b), (b, a)] {
                let at = next[*from as usize] as usize;
                targets[at] = *to;
                weights[at] = *weight;
                next[*from as usize] += 1;
            }
        }
        let transitions = Transitions::of(Graph::new(&starts, &targets, &weights)?);
        Ok(Self {
            starts,
            targets,
            weights,
            transitions,
            seeds,
        })
    }

    /// The graph and the seeds of a file, with the seconds and the KiB that making the graph took.
    fn read(path: &str) -> Outcome<(Self, f64, u64)> {
        let bytes = std::fs::read(path)?;
        let (words, _) = bytes.as_chunks::<4>();
        let [nodes, n_edges, sets, each, rest @ ..] = words else {
            return Err("the file has no header".into());
        };
        let count = |word: &[u8; 4]| u32::from_le_bytes(*word) as usize;
        let (nodes, n_edges, sets, each) = (count(nodes), count(n_edges), count(sets), count(each));
        if rest.len() != 3 * n_edges + 2 * sets * each {
            return Err("the file has another length than its header says".into());
        }
        let (pairs, rest) = rest.split_at(2 * n_edges);
        let (weights, rest) = rest.split_at(n_edges);
        let (chosen, shares) = rest.split_at(sets * each);
        let number = |word: &[u8; 4]| u32::from_le_bytes(*word);
        let edges: Vec<(u32, u32, f32)> = pairs
            .chunks_exact(2)
            .zip(weights)
            .map(|(pair, weight)| {
                (
                    number(&pair[0]),
                    number(&pair[1]),
                    f32::from_le_bytes(*weight),
                )
            })
            .collect();
        let seeds = chosen
            .chunks_exact(each)
            .zip(shares.chunks_exact(each))
            .map(|(nodes, shares)| {
                let shares = shares.iter().map(|share| f32::from_le_bytes(*share));
                nodes.iter().map(number).zip(shares).collect()
            })
            .collect();
        drop(bytes);
        let (walks, seconds, more) = measured(|| Self::new(nodes, &edges, seeds));
        Ok((walks?, seconds, more))
    }

    fn whole(&self, seeds: &[(u32, f32)]) -> Outcome<Vec<f32>> {
        Ok(pagerank(
            &self.transitions,
            seeds,
            Walk::default(),
            &Cancel::new(),
        )?)
    }

    fn graph(&self) -> Outcome<Graph<'_>> {
        Ok(Graph::new(&self.starts, &self.targets, &self.weights)?)
    }

    fn pushed(graph: Graph<'_>, seeds: &[(u32, f32)]) -> Outcome<Vec<(u32, f32)>> {
        let walk = Walk {
            tolerance: PUSHED,
            ..Walk::default()
        };
        Ok(push(graph, seeds, walk, &Cancel::new())?)
    }

    fn seconds(&self, whole: bool) -> Outcome<f64> {
        let graph = self.graph()?;
        let begin = Instant::now();
        for seeds in &self.seeds {
            if whole {
                std::hint::black_box(self.whole(seeds)?);
            } else {
                std::hint::black_box(Self::pushed(graph, seeds)?);
            }
        }
        Ok(begin.elapsed().as_secs_f64())
    }

    fn answer(&self, line: &str) -> Outcome<String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        Ok(match words.as_slice() {
            ["whole"] => self.seconds(true)?.to_string(),
            ["push"] => self.seconds(false)?.to_string(),
            ["mass"] => {
                let seeds = self.seeds.first().map_or(&[][..], Vec::as_slice);
                let mass = self.whole(seeds)?;
                mass.iter().map(|m| format!("{m:e} ")).collect()
            }
            ["top", how] => {
                let mut out = String::new();
                for seeds in &self.seeds {
                    let mut mass = match *how {
                        "whole" => (0..).zip(self.whole(seeds)?).collect(),
                        _ => Self::pushed(self.graph()?, seeds)?,
                    };
                    mass.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
                    for (node, _) in mass.iter().take(10) {
                        out.push_str(&format!("{node} "));
                    }
                }
                out
            }
            _ => return Err(format!("unknown command `{line}`").into()),
        })
    }
}

fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    if let [serve, file] = args.as_slice()
        && serve == "serve"
    {
        let (walks, seconds, more) = Walks::read(file)?;
        // Of the graph and of the probabilities of going each way.
        let bytes = 8 * (walks.starts.len() + 2 * walks.targets.len());
        println!("{seconds} {bytes} {more}");
        for line in std::io::stdin().lock().lines() {
            println!("{}", walks.answer(&line?)?);
        }
        return Ok(());
    }
    let nodes = 20_000_u32;
    let edges: Vec<(u32, u32, f32)> = (0..5 * nodes)
        .map(|i| (i % nodes, i.wrapping_mul(2_654_435_761) % nodes, 1.0))
        .filter(|(a, b, _)| a != b)
        .collect();
    let seeds = (0..20).map(|i| vec![(i * 7, 1.0), (i * 31 + 5, 0.5)]);
    let walks = Walks::new(nodes as usize, &edges, seeds.collect())?;
    println!(
        "20,000 nodes, 100,000 edges, ms a walk: whole graph {:.3}, pushed {:.3}",
        50.0 * walks.seconds(true)?,
        50.0 * walks.seconds(false)?
    );
    Ok(())
}
