//! The reader that ships with indago: where in a passage the answer to a question stands.

use std::ops::Range;
use std::sync::OnceLock;

use indago_core::Cancel;
use indago_core::ports::{EncodeError, SpanReader, SpanScores, TokenScore};
use indago_kernels::dot_f32;

use super::batch::{for_each, groups};
use super::forward::{Workspaces, states};
use super::minilm::EMBEDDED as ENCODER;
use super::network::{Activations, Levels, Network, read_dims};
use crate::ModelError;
use crate::tokenizer::{Vocabulary, WordPiece};
use crate::weights::Dims;
use crate::weights::container::Container;

/// Its weights, without those that it shares with the encoder. Their README says how they were trained.
pub(crate) static EMBEDDED: &[u8] = include_bytes!("../../weights/reader.int8");

/// As in the encoder that its words are shared with.
const ACTIVATIONS: Activations = Activations::Bits8(Levels::USUAL);

/// Tokens of a question and of a title that are read; the rest is cut off. The same numbers stand in
/// `models/training/train_reader.py`.
const ASKED: usize = 48;
const TITLE: usize = 24;
/// Tokens that neighbouring windows of a long text share, and fewest by which they move on.
const SHARED: usize = 64;
const LEAST_STEP: usize = 32;

/// A reader of the BERT family (`BertForQuestionAnswering`) behind the word vectors of the embedded
/// encoder, with int8 weights.
///
/// It reads `[CLS] question [SEP] title. text [SEP]`, all of one token type; texts that are longer
/// than its 256 tokens in windows that overlap, where each token has its best score. Logits of
/// the first token say "not here" and are taken from the others. Weights are unpacked at the first
/// question.
pub struct Reader {
    name: String,
    tokenizer: WordPiece,
    dims: Dims,
    file: Container,
    encoder: Container,
    network: OnceLock<Unpacked>,
    idle: Workspaces,
}

struct Unpacked {
    network: Network,
    /// `[2, hidden]`: starts and ends. Biases would fall away, since scores are differences.
    spans: Vec<f32>,
}

/// A part of a passage behind a question, as the network sees it.
struct Window {
    passage: usize,
    /// Which of the text's tokens it begins with.
    at: usize,
    ids: Vec<u32>,
    /// First of `ids` that is of the text, and the bytes of its tokens' words.
    first: usize,
    words: Vec<Range<usize>>,
}

impl Reader {
    /// The reader that is part of the program.
    ///
    /// # Errors
    /// When the program's own copy is damaged.
    pub fn embedded() -> Result<Self, EncodeError> {
        let name = "reader/int8";
        Container::read(name, EMBEDDED)
            .and_then(|file| Self::from_container(name, file))
            .map_err(|error| error.of_model(name))
    }

    fn from_container(name: &str, file: Container) -> Result<Self, ModelError> {
        let encoder = Container::read("all-MiniLM-L6-v2/int8", ENCODER)?;
        let dims = read_dims(&file)?;
        let vocabulary = Vocabulary::new(encoder.text("vocabulary")?)?;
        if vocabulary.len() != dims.vocabulary || dims.positions < ASKED + TITLE + 3 + LEAST_STEP {
            let reason = "it does not fit the embedded encoder's words";
            return Err(ModelError::format(file.what(), reason));
        }
        Ok(Self {
            name: name.to_owned(),
            tokenizer: WordPiece::new(vocabulary)?,
            dims,
            file,
            encoder,
            network: OnceLock::new(),
            idle: Workspaces::default(),
        })
    }

    fn network(&self) -> Result<&Unpacked, ModelError> {
        if let Some(network) = self.network.get() {
            return Ok(network);
        }
        let (file, dims) = (&self.file, self.dims);
        let unpacked = Unpacked {
            network: Network::from_containers(file, &self.encoder, dims, ACTIVATIONS)?,
            spans: file.floats("spans", 2 * dims.hidden)?,
        };
        // Two threads may have unpacked at once; both results are the same.
        Ok(self.network.get_or_init(|| unpacked))
    }

    /// What the network sees of passage number `passage`.
    fn windows(&self, asked: &[u32], passage: usize, title: &str, text: &str) -> Vec<Window> {
        let tokenizer = &self.tokenizer;
        let mut head = vec![tokenizer.begin()];
        head.extend(asked);
        head.push(tokenizer.end());
        if !title.is_empty() {
            head.extend(tokenizer.tokens(&format!("{title}."), TITLE));
        }
        let tokens = tokenizer.tokens_in_place(text);
        let room = self.dims.positions - head.len() - 1;
        let step = room.saturating_sub(SHARED).max(LEAST_STEP);
        let starts = (0..tokens.len().saturating_sub(SHARED).max(1)).step_by(step);
        let window = |start: usize| {
            let part = &tokens[start.min(tokens.len())..tokens.len().min(start + room)];
            let mut ids = head.clone();
            ids.extend(part.iter().map(|(id, _)| id));
            ids.push(tokenizer.end());
            Window {
                passage,
                at: start,
                ids,
                first: head.len(),
                words: part.iter().map(|(_, word)| word.clone()).collect(),
            }
        };
        starts.map(window).collect()
    }

    /// Scores of the tokens of a window, from the network's vectors.
    fn scores(&self, unpacked: &Unpacked, window: &Window, states: &[f32]) -> Vec<TokenScore> {
        let width = self.dims.hidden;
        let (starts, ends) = unpacked.spans.split_at(width);
        let logits = |state: &[f32]| (dot_f32(starts, state), dot_f32(ends, state));
        let absent = logits(&states[..width]);
        let tokens = states[window.first * width..].chunks_exact(width);
        let scored = window.words.iter().zip(tokens).map(|(word, state)| {
            let (start, end) = logits(state);
            TokenScore {
                range: word.clone(),
                start: start - absent.0,
                end: end - absent.1,
            }
        });
        scored.collect()
    }
}

/// Adds what a window saw from token number `at` on to what those before it saw. Tokens that several
/// saw keep their best scores.
fn merge(scores: &mut SpanScores, at: usize, window: Vec<TokenScore>) {
    let seen = scores.tokens.len().saturating_sub(at);
    for (known, other) in scores.tokens.iter_mut().skip(at).zip(&window) {
        known.start = known.start.max(other.start);
        known.end = known.end.max(other.end);
    }
    scores.tokens.extend(window.into_iter().skip(seen));
}

impl SpanReader for Reader {
    fn name(&self) -> &str {
        &self.name
    }

    fn read(
        &self,
        question: &str,
        passages: &[(&str, &str)],
        cancel: &Cancel,
    ) -> Result<Vec<SpanScores>, EncodeError> {
        let unpacked = self.network().map_err(|error| error.of_model(&self.name))?;
        let asked = self.tokenizer.tokens(question, ASKED);
        let windows: Vec<Window> = passages
            .iter()
            .enumerate()
            .flat_map(|(i, (title, text))| self.windows(&asked, i, title, text))
            .collect();
        let lengths: Vec<usize> = windows.iter().map(|w| w.ids.len()).collect();
        let groups = groups(&lengths);
        let width = self.dims.hidden;
        let read = |group: &[usize], threads: usize| -> Result<Vec<Vec<TokenScore>>, EncodeError> {
            cancel.check()?;
            let ids: Vec<&[u32]> = group.iter().map(|&i| windows[i].ids.as_slice()).collect();
            let mut workspace = self.idle.take();
            let mut rest = states(&unpacked.network, &ids, None, threads, &mut workspace);
            let mut scored = Vec::with_capacity(group.len());
            for &i in group {
                let (rows, others) = rest.split_at(windows[i].ids.len() * width);
                scored.push(self.scores(unpacked, &windows[i], rows));
                rest = others;
            }
            self.idle.give_back(workspace);
            Ok(scored)
        };
        let scored = for_each(&groups, &lengths, read)?;
        let mut by_window: Vec<Vec<TokenScore>> = vec![Vec::new(); windows.len()];
        for (&i, scores) in groups.iter().flatten().zip(scored.into_iter().flatten()) {
            by_window[i] = scores;
        }
        let mut out = vec![SpanScores::default(); passages.len()];
        for (window, scores) in windows.iter().zip(by_window) {
            merge(&mut out[window.passage], window.at, scores);
        }
        Ok(out)
    }
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reader[{}]", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(at: usize, start: f32, end: f32) -> TokenScore {
        TokenScore {
            range: at..at + 1,
            start,
            end,
        }
    }

    #[test]
    fn what_two_windows_saw_keeps_its_better_score() {
        let mut scores = SpanScores::default();
        merge(
            &mut scores,
            0,
            vec![token(0, 1.0, 1.0), token(1, 2.0, -2.0)],
        );
        merge(&mut scores, 1, vec![token(1, 0.0, 3.0), token(2, 4.0, 4.0)]);
        let expected = [token(0, 1.0, 1.0), token(1, 2.0, 3.0), token(2, 4.0, 4.0)];
        assert_eq!(scores.tokens, expected);
    }

    #[test]
    fn windows_cover_every_token_and_fit_the_model() {
        let reader = Reader::embedded().unwrap();
        let asked = reader.tokenizer.tokens("Who led Harbour Works?", ASKED);
        for words in [0, 1, 200, 236, 237, 500, 3000] {
            let text = "works ".repeat(words);
            let windows = reader.windows(&asked, 0, "A title", &text);
            let mut covered = 0;
            for window in &windows {
                assert!(window.at <= covered, "a gap at {covered} of {words}");
                assert!(window.ids.len() <= reader.dims.positions);
                assert_eq!(window.ids.len(), window.first + window.words.len() + 1);
                covered = window.at + window.words.len();
            }
            assert_eq!(covered, words);
        }
    }
}
