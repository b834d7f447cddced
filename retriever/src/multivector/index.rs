//! Compressed token matrices of many passages, by number.

use std::ops::Range;

use indago_core::Cancel;
use indago_kernels::quantize::push_row_i8;
use indago_kernels::scan::ScanError;
use rayon::prelude::*;

use super::codec::{Codec, CodedTokens, FACTOR_BYTES};
use super::muvera::FixedDimension;
use crate::disk::sealed::SealedFile;

/// Planes, width and repetitions of the fixed dimensional encodings, and their seed: 20 times 16
/// regions of 8 values are 2,560 bytes a passage.
const FIXED: (usize, usize, usize, u64) = (4, 8, 20, 0x6d75_7665_7261);

/// Tokens between two whose passage is noted.
const NOTED: usize = 64;

/// Bytes in memory or in a mapped file.
#[derive(Clone, Debug)]
pub(super) enum Bytes {
    Owned(Vec<u8>),
    Mapped(SealedFile, Range<usize>),
}

impl Bytes {
    pub(super) fn get(&self) -> &[u8] {
        match self {
            Self::Owned(bytes) => bytes,
            Self::Mapped(file, span) => &file.bytes()[span.clone()],
        }
    }
}

/// Passages' token vectors, compressed, with the lists of tokens by centroid.
#[derive(Clone, Debug)]
pub struct Index {
    pub(super) codec: Codec,
    /// Passage `i` has the tokens `bounds[i]..bounds[i + 1]`.
    pub(super) bounds: Vec<u32>,
    /// The centroid of each token.
    pub(super) codes: Vec<u32>,
    pub(super) residuals: Bytes,
    /// [`FACTOR_BYTES`] a token.
    pub(super) factors: Bytes,
    /// `[passages, fixed.len()]`, 8-bit codes.
    pub(super) fixed_codes: Bytes,
    pub(super) fixed_scales: Vec<f32>,
    pub(super) fixed: FixedDimension,
    /// Centroid `c` has the tokens `list_tokens[lists[c]..lists[c + 1]]`, ascending.
    pub(super) lists: Vec<u32>,
    pub(super) list_tokens: Vec<u32>,
    /// The passage of each [`NOTED`]th token.
    noted: Vec<u32>,
}

/// The fixed dimensional encodings of an index.
pub(super) fn fixed(dim: usize) -> FixedDimension {
    let (planes, width, repetitions, seed) = FIXED;
    FixedDimension::new(dim, planes, width, repetitions, seed)
}

impl Index {
    pub(super) fn of_parts(
        codec: Codec,
        bounds: Vec<u32>,
        codes: Vec<u32>,
        [residuals, factors]: [Bytes; 2],
        (fixed_codes, fixed_scales): (Bytes, Vec<f32>),
    ) -> Self {
        let mut lists = vec![0_u32; codec.n_centroids() + 1];
        for &code in &codes {
            if let Some(count) = lists.get_mut(code as usize + 1) {
                *count += 1;
            }
        }
        for i in 1..lists.len() {
            lists[i] += lists[i - 1];
        }
        let mut next = lists.clone();
        let mut list_tokens = vec![0; codes.len()];
        for (token, &code) in codes.iter().enumerate() {
            if let Some(next) = next.get_mut(code as usize) {
                list_tokens[*next as usize] = token as u32;
                *next += 1;
            }
        }
        let mut noted = Vec::with_capacity(codes.len().div_ceil(NOTED));
        for (passage, bounds) in (0..).zip(bounds.windows(2)) {
            while noted.len() * NOTED < bounds[1] as usize {
                noted.push(passage);
            }
        }
        let fixed = fixed(codec.dim());
        Self {
            codec,
            bounds,
            codes,
            residuals,
            factors,
            fixed_codes,
            fixed_scales,
            fixed,
            lists,
            list_tokens,
            noted,
        }
    }

    /// Number of passages.
    pub fn len(&self) -> usize {
        self.bounds.len().saturating_sub(1)
    }

    /// Whether there are no passages.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of tokens of all passages.
    pub fn n_tokens(&self) -> usize {
        self.codes.len()
    }

    /// How vectors are compressed.
    pub fn codec(&self) -> &Codec {
        &self.codec
    }

    /// Bytes that passages and centroids take, without fixed dimensional encodings.
    pub fn bytes(&self) -> usize {
        let tokens = self.residuals.get().len() + self.factors.get().len();
        4 * (self.codec.centroids.len() + self.bounds.len() + self.codes.len()) + tokens
    }

    /// Bytes that fixed dimensional encodings take.
    pub fn fixed_bytes(&self) -> usize {
        self.fixed_codes.get().len() + 4 * self.fixed_scales.len()
    }

    /// The tokens of a passage; none for a number beyond the last.
    pub(super) fn tokens(&self, passage: u32) -> Range<usize> {
        let i = passage as usize;
        match (self.bounds.get(i), self.bounds.get(i + 1)) {
            (Some(&start), Some(&end)) => start as usize..end as usize,
            _ => 0..0,
        }
    }

    /// The passage that a token belongs to.
    pub(super) fn passage_of(&self, token: u32) -> u32 {
        let i = token as usize / NOTED;
        let from = self.noted.get(i).map_or(0, |&p| p as usize);
        let to = self
            .noted
            .get(i + 1)
            .map_or(self.len(), |&p| p as usize + 1);
        let starts = self.bounds.get(from + 1..to).unwrap_or(&[]);
        (from + starts.partition_point(|&start| start <= token)) as u32
    }

    /// The residuals of some tokens, one after another.
    pub(super) fn residuals(&self, tokens: Range<usize>) -> &[u8] {
        let width = self.codec.residual_bytes();
        let bytes = tokens.start * width..tokens.end * width;
        self.residuals.get().get(bytes).unwrap_or(&[])
    }

    /// The factors of some tokens.
    pub(super) fn factors(&self, tokens: Range<usize>) -> &[[u8; FACTOR_BYTES]] {
        let (factors, _) = self.factors.get().as_chunks::<FACTOR_BYTES>();
        factors.get(tokens).unwrap_or(&[])
    }

    /// The token's vector as it was stored.
    pub(super) fn decode_token(&self, token: usize, out: &mut [f32]) {
        let residual = self.residuals(token..token + 1);
        let factors = self.factors(token..token + 1).first().copied();
        self.codec.decode(
            self.codes[token],
            residual,
            factors.unwrap_or_default(),
            out,
        );
    }

    /// Appends the token vectors of a passage to `out`.
    pub fn decode(&self, passage: u32, out: &mut Vec<f32>) {
        let dim = self.codec.dim();
        for token in self.tokens(passage) {
            let at = out.len();
            out.resize(at + dim, 0.0);
            self.decode_token(token, &mut out[at..]);
        }
    }
}

/// Collects passages for an [`Index`].
#[derive(Clone, Debug)]
pub struct IndexBuilder {
    codec: Codec,
    bounds: Vec<u32>,
    tokens: CodedTokens,
    fixed_codes: Vec<i8>,
    fixed_scales: Vec<f32>,
    fixed: FixedDimension,
}

impl IndexBuilder {
    /// No passages yet.
    pub fn new(codec: Codec) -> Self {
        Self {
            fixed: fixed(codec.dim()),
            codec,
            bounds: vec![0],
            tokens: CodedTokens::default(),
            fixed_codes: Vec::new(),
            fixed_scales: Vec::new(),
        }
    }

    /// Number of passages so far.
    pub fn len(&self) -> usize {
        self.bounds.len() - 1
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends passages, each a matrix `[tokens, dim]` of rows of length 1.
    ///
    /// # Errors
    /// When cancelled, or lengths do not fit.
    pub fn push(&mut self, passages: &[&[f32]], cancel: &Cancel) -> Result<(), ScanError> {
        let all = passages.concat();
        self.codec.encode(&all, &mut self.tokens, cancel)?;
        let fixed = &self.fixed;
        let encodings: Vec<(f32, Vec<i8>)> = passages
            .par_iter()
            .map(|tokens| {
                let mut codes = Vec::with_capacity(fixed.len());
                let scale = push_row_i8(&fixed.of_passage(tokens), &mut codes);
                (scale, codes)
            })
            .collect();
        for ((scale, codes), tokens) in encodings.into_iter().zip(passages) {
            self.fixed_scales.push(scale);
            self.fixed_codes.extend(codes);
            let end = self.bounds.last().copied().unwrap_or(0);
            let count = (tokens.len() / self.codec.dim().max(1)) as u32;
            self.bounds.push(end.saturating_add(count));
        }
        Ok(())
    }

    /// Appends a passage of another index with the same codec, as it is.
    pub fn copy(&mut self, from: &Index, passage: u32) {
        let tokens = from.tokens(passage);
        let own = &mut self.tokens;
        own.residuals
            .extend_from_slice(from.residuals(tokens.clone()));
        own.factors
            .extend_from_slice(from.factors(tokens.clone()).as_flattened());
        own.codes.extend_from_slice(&from.codes[tokens.clone()]);
        let wide = self.fixed.len();
        let fixed = &from.fixed_codes.get()[passage as usize * wide..][..wide];
        self.fixed_codes
            .extend_from_slice(indago_kernels::quantize::codes_of_bytes(fixed));
        self.fixed_scales.push(from.fixed_scales[passage as usize]);
        let end = self.bounds.last().copied().unwrap_or(0);
        self.bounds.push(end.saturating_add(tokens.len() as u32));
    }

    /// The index of what was collected.
    pub fn finish(self) -> Index {
        let fixed = self.fixed_codes.iter().map(|&code| code as u8).collect();
        Index::of_parts(
            self.codec,
            self.bounds,
            self.tokens.codes,
            [
                Bytes::Owned(self.tokens.residuals),
                Bytes::Owned(self.tokens.factors),
            ],
            (Bytes::Owned(fixed), self.fixed_scales),
        )
    }
}
