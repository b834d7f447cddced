//! Fixed dimensional encodings: one vector a text whose dot product estimates MaxSim.
//!
//! Space is cut by random hyperplanes; a query's block of a region is the sum of its tokens there, a
//! passage's their mean, or, where it has none, its token in the nearest region (Jayaram et al. 2024,
//! "MUVERA", section 2). `dot(query, passage) / repetitions` estimates the sum of maxima.

/// The random planes and projections, the same for queries and passages.
#[derive(Clone, Debug)]
pub struct FixedDimension {
    dim: usize,
    planes_each: usize,
    width: usize,
    repetitions: usize,
    /// `[repetitions, planes_each, dim]`.
    planes: Vec<f32>,
    /// `[repetitions, dim]`: where each value is added, and with which sign. Empty where nothing is
    /// projected.
    targets: Vec<(u32, f32)>,
}

/// One stream of random numbers (Steele et al. 2014, "SplitMix").
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Between 0 and 1, neither included.
    fn unit(&mut self) -> f64 {
        ((self.bits() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Normally distributed (Box and Muller 1958).
    fn normal(&mut self) -> f32 {
        let (a, b) = (self.unit(), self.unit());
        ((-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()) as f32
    }
}

impl FixedDimension {
    /// `repetitions` cuts into `2^planes` regions, tokens of `dim` values projected to `width` (no
    /// projection where `width >= dim`). At most 10 planes are used.
    pub fn new(dim: usize, planes: usize, width: usize, repetitions: usize, seed: u64) -> Self {
        let planes_each = planes.min(10);
        let mut random = Random(seed);
        let n_planes = repetitions * planes_each * dim;
        let planes = (0..n_planes).map(|_| random.normal()).collect();
        let project = width < dim;
        let n_targets = if project { repetitions * dim } else { 0 };
        let targets = (0..n_targets)
            .map(|_| {
                let bits = random.bits();
                let sign = if bits & 1 == 0 { 1.0 } else { -1.0 };
                ((bits >> 1) as u32 % width.max(1) as u32, sign)
            })
            .collect();
        Self {
            dim,
            planes_each,
            width: if project { width.max(1) } else { dim },
            repetitions,
            planes,
            targets,
        }
    }

    /// Length of an encoding.
    pub fn len(&self) -> usize {
        (self.repetitions * self.width) << self.planes_each
    }

    /// Whether encodings have no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Which side of each plane a token is on.
    fn region(&self, repetition: usize, token: &[f32]) -> usize {
        let start = repetition * self.planes_each * self.dim;
        let planes = &self.planes[start..][..self.planes_each * self.dim];
        planes
            .chunks_exact(self.dim.max(1))
            .enumerate()
            .map(|(i, plane)| usize::from(indago_kernels::dot_f32(plane, token) > 0.0) << i)
            .sum()
    }

    /// Adds a token, projected, to a block.
    fn add(&self, repetition: usize, token: &[f32], block: &mut [f32]) {
        if self.targets.is_empty() {
            for (to, x) in block.iter_mut().zip(token) {
                *to += x;
            }
            return;
        }
        let targets = &self.targets[repetition * self.dim..][..self.dim];
        for (&(target, sign), x) in targets.iter().zip(token) {
            block[target as usize] += sign * x;
        }
    }

    /// The sum of a query's tokens (`[tokens, dim]`) in each region.
    pub fn of_query(&self, tokens: &[f32]) -> Vec<f32> {
        let mut out = vec![0.0; self.len()];
        for (repetition, blocks) in self.blocks(&mut out) {
            for token in tokens.chunks_exact(self.dim) {
                let region = self.region(repetition, token);
                self.add(
                    repetition,
                    token,
                    &mut blocks[region * self.width..][..self.width],
                );
            }
        }
        out
    }

    /// The mean of a passage's tokens (`[tokens, dim]`) in each region, or its token in the region
    /// that fewest planes lie between.
    pub fn of_passage(&self, tokens: &[f32]) -> Vec<f32> {
        let mut out = vec![0.0; self.len()];
        if tokens.is_empty() {
            return out;
        }
        for (repetition, blocks) in self.blocks(&mut out) {
            let regions: Vec<usize> = tokens
                .chunks_exact(self.dim)
                .map(|token| self.region(repetition, token))
                .collect();
            for (region, block) in blocks.chunks_exact_mut(self.width).enumerate() {
                let mut count = 0_u32;
                for (token, _) in tokens
                    .chunks_exact(self.dim)
                    .zip(&regions)
                    .filter(|(_, r)| **r == region)
                {
                    self.add(repetition, token, block);
                    count += 1;
                }
                if count > 1 {
                    for x in block.iter_mut() {
                        *x /= count as f32;
                    }
                } else if count == 0 {
                    let apart = |(_, r): &(usize, &usize)| (**r ^ region).count_ones();
                    let near = regions.iter().enumerate().min_by_key(apart);
                    let at = near.map_or(0, |(i, _)| i * self.dim);
                    self.add(repetition, &tokens[at..at + self.dim], block);
                }
            }
        }
        out
    }

    /// Each repetition's part of an encoding.
    fn blocks<'a>(&self, out: &'a mut [f32]) -> impl Iterator<Item = (usize, &'a mut [f32])> {
        out.chunks_mut((self.width << self.planes_each).max(1))
            .enumerate()
    }
}
