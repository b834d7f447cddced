//! The graph as a tree: under each question what it waits for.
//!
//! A node that several questions wait for stands in full under the first of them and is named
//! under the others.

/// One line of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Branch {
    /// The node.
    pub(crate) node: usize,
    /// Lines drawn before it.
    pub(crate) lead: String,
    /// Whether it stands in full elsewhere.
    pub(crate) is_repeated: bool,
}

/// Deepest nesting that is indented; what is deeper stays at that column.
const MAX_INDENT: usize = 12;

/// The lines of the tree of `n` nodes. `pairs`: what is waited for, and what waits.
pub(crate) fn branches(n: usize, pairs: &[(usize, usize)]) -> Vec<Branch> {
    let mut children = vec![Vec::new(); n];
    let mut is_child = vec![false; n];
    for &(on, from) in pairs {
        // The question itself is the root of all, whatever waits for what.
        if !children[from].contains(&on) && on != 0 {
            children[from].push(on);
            is_child[on] = true;
        }
    }
    let mut roots: Vec<usize> = (0..n).filter(|&node| !is_child[node]).collect();
    let mut out = Vec::with_capacity(n);
    let mut shown = vec![false; n];
    let mut next = 0;
    loop {
        // A cycle from outside has no root; its first node becomes one.
        let root = if let Some(&root) = roots.get(next) {
            next += 1;
            root
        } else if let Some(left) = shown.iter().position(|seen| !seen) {
            roots.push(left);
            next = roots.len();
            left
        } else {
            return out;
        };
        if shown[root] {
            continue;
        }
        // Node, lead of its line, lead of its children's lines. A stack: chains may be long.
        let mut stack = vec![(root, String::new(), String::new())];
        while let Some((node, lead, below)) = stack.pop() {
            let is_repeated = shown[node];
            shown[node] = true;
            out.push(Branch {
                node,
                lead,
                is_repeated,
            });
            if is_repeated {
                continue;
            }
            let deep = below.chars().count() >= 2 * MAX_INDENT;
            for (i, &child) in children[node].iter().enumerate().rev() {
                let is_last = i + 1 == children[node].len();
                let (mark, pass) = if is_last {
                    ("└ ", "  ")
                } else {
                    ("├ ", "│ ")
                };
                let lead = format!("{below}{mark}");
                let further = if deep {
                    below.clone()
                } else {
                    format!("{below}{pass}")
                };
                stack.push((child, lead, further));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_waited_for_stands_below() {
        let lines = branches(4, &[(1, 0), (2, 0), (3, 1), (3, 2)]);
        let shown: Vec<_> = lines
            .iter()
            .map(|b| {
                format!(
                    "{}q{}{}",
                    b.lead,
                    b.node,
                    if b.is_repeated { "+" } else { "" }
                )
            })
            .collect();
        assert_eq!(shown, ["q0", "├ q1", "│ └ q3", "└ q2", "  └ q3+"]);
    }

    proptest! {
        #[test]
        fn every_node_stands_once_in_full(n in 1usize..40, raw in prop::collection::vec((0usize..40, 0usize..40), 0..80)) {
            let pairs: Vec<_> = raw.into_iter().map(|(a, b)| (a % n, b % n)).filter(|(a, b)| a != b).collect();
            let mut full = vec![0; n];
            for branch in branches(n, &pairs) {
                if !branch.is_repeated {
                    full[branch.node] += 1;
                }
            }
            prop_assert!(full.iter().all(|&times| times == 1));
        }
    }
}
