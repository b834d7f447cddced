//! The text of a page in the order its content draws it, with spaces, lines and paragraphs worked
//! out from where the pieces stand.
//!
//! Source: ISO 32000-1, sections 8.3 (matrices), 9.3 and 9.4 (text state and operators). Content
//! streams are drawn in reading order by nearly all producers, so that columns need no analysis.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Instant;

use lopdf::content::{Content, Operation};
use lopdf::{Dictionary, Document, Object, ObjectId};

use super::font::{Font, prepared};

/// Forms inside forms.
const MAX_DEPTH: usize = 8;
/// Operations of one page, forms included: a form that is drawn again and again would multiply.
const MAX_OPERATIONS: usize = 5_000_000;
/// Text of one page.
const MAX_TEXT_BYTES: usize = 8 << 20;

/// A gap wider than this part of the font size is a space between words.
const SPACE_GAP: f32 = 0.18;
/// A move up or down by more than this part of the font size begins a new line.
const LINE_STEP: f32 = 0.35;
/// A move down by more than this part of the font size begins a new paragraph.
const PARAGRAPH_STEP: f32 = 1.75;

/// The text of `page`.
pub(super) fn page_text(
    document: &Document,
    page: ObjectId,
    limit: usize,
    deadline: Instant,
) -> lopdf::Result<String> {
    let bytes = document.get_page_content_with_limit(page, limit)?;
    let content = Content::decode(&bytes)?;
    let (inline, referenced) = document.get_page_resources(page)?;
    let referenced = referenced
        .iter()
        .filter_map(|id| document.get_dictionary(*id).ok());
    let resources: Vec<&Dictionary> = inline.into_iter().chain(referenced).collect();
    let mut writer = Writer {
        text: String::new(),
        end: None,
    };
    let mut walk = Walk {
        document,
        limit,
        deadline,
        operations: 0,
        writer: &mut writer,
    };
    walk.content(&content.operations, &resources, Matrix::IDENTITY, 0);
    Ok(writer.text)
}

/// An affine map: `x' = a x + c y + e`, `y' = b x + d y + f`.
#[derive(Clone, Copy, Debug)]
struct Matrix {
    a: f32,
    b: f32,
    c: f32,
    d: f32,
    e: f32,
    f: f32,
}

impl Matrix {
    const IDENTITY: Self = Self {
        a: 1.0,
        b: 0.0,
        c: 0.0,
        d: 1.0,
        e: 0.0,
        f: 0.0,
    };

    fn of(operands: &[Object]) -> Option<Self> {
        let mut values = [0.0; 6];
        for (value, operand) in values.iter_mut().zip(operands) {
            *value = operand.as_float().ok()?;
        }
        let [a, b, c, d, e, f] = values;
        (operands.len() >= 6).then_some(Self { a, b, c, d, e, f })
    }

    fn shift(x: f32, y: f32) -> Self {
        Self {
            e: x,
            f: y,
            ..Self::IDENTITY
        }
    }

    /// First `self`, then `next`.
    fn then(self, next: Self) -> Self {
        Self {
            a: self.a * next.a + self.b * next.c,
            b: self.a * next.b + self.b * next.d,
            c: self.c * next.a + self.d * next.c,
            d: self.c * next.b + self.d * next.d,
            e: self.e * next.a + self.f * next.c + next.e,
            f: self.e * next.b + self.f * next.d + next.f,
        }
    }
}

/// The graphics state as far as text depends on it.
#[derive(Clone)]
struct State<'f> {
    page: Matrix,
    font: Option<Rc<Font<'f>>>,
    size: f32,
    char_space: f32,
    word_space: f32,
    /// Horizontal scale, 1 for none.
    stretch: f32,
    leading: f32,
    rise: f32,
}

struct Walk<'d, 'w> {
    document: &'d Document,
    limit: usize,
    deadline: Instant,
    operations: usize,
    writer: &'w mut Writer,
}

impl Walk<'_, '_> {
    fn content(
        &mut self,
        operations: &[Operation],
        resources: &[&Dictionary],
        page: Matrix,
        depth: usize,
    ) {
        let dictionaries = fonts(resources, self.document);
        let mut made: HashMap<&[u8], Option<Rc<Font<'_>>>> = HashMap::new();
        let mut state = State {
            page,
            font: None,
            size: 0.0,
            char_space: 0.0,
            word_space: 0.0,
            stretch: 1.0,
            leading: 0.0,
            rise: 0.0,
        };
        let mut saved: Vec<State<'_>> = Vec::new();
        let (mut line, mut text) = (Matrix::IDENTITY, Matrix::IDENTITY);
        for operation in operations {
            self.operations += 1;
            let over_time = self.operations.is_multiple_of(4096) && Instant::now() >= self.deadline;
            if over_time
                || self.operations > MAX_OPERATIONS
                || self.writer.text.len() > MAX_TEXT_BYTES
            {
                return;
            }
            let operands = &operation.operands;
            let number = |i: usize| {
                operands
                    .get(i)
                    .and_then(|o| o.as_float().ok())
                    .unwrap_or(0.0)
            };
            match operation.operator.as_str() {
                "q" if saved.len() < 1024 => saved.push(state.clone()),
                "Q" => {
                    if let Some(before) = saved.pop() {
                        state = before;
                    }
                }
                "cm" => {
                    if let Some(matrix) = Matrix::of(operands) {
                        state.page = matrix.then(state.page);
                    }
                }
                "BT" => (line, text) = (Matrix::IDENTITY, Matrix::IDENTITY),
                "Tf" => {
                    state.size = number(1);
                    let name = operands
                        .first()
                        .and_then(|o| o.as_name().ok())
                        .unwrap_or_default();
                    state.font = dictionaries
                        .get_key_value(name)
                        .and_then(|(name, dictionary)| {
                            let make =
                                || Font::new(dictionary, self.document, self.limit).map(Rc::new);
                            made.entry(name.as_slice()).or_insert_with(make).clone()
                        });
                }
                "Tc" => state.char_space = number(0),
                "Tw" => state.word_space = number(0),
                "Tz" => state.stretch = number(0) / 100.0,
                "TL" => state.leading = number(0),
                "Ts" => state.rise = number(0),
                "Td" | "TD" => {
                    if operation.operator == "TD" {
                        state.leading = -number(1);
                    }
                    line = Matrix::shift(number(0), number(1)).then(line);
                    text = line;
                }
                "Tm" => {
                    if let Some(matrix) = Matrix::of(operands) {
                        (line, text) = (matrix, matrix);
                    }
                }
                "T*" => {
                    line = Matrix::shift(0.0, -state.leading).then(line);
                    text = line;
                }
                "Tj" | "TJ" => self.show(operands, &state, &mut text),
                "'" | "\"" => {
                    if operation.operator == "\"" {
                        (state.word_space, state.char_space) = (number(0), number(1));
                    }
                    line = Matrix::shift(0.0, -state.leading).then(line);
                    text = line;
                    self.show(
                        operands
                            .last()
                            .map(std::slice::from_ref)
                            .unwrap_or_default(),
                        &state,
                        &mut text,
                    );
                }
                "Do" if depth < MAX_DEPTH => {
                    if let Some(name) = operands.first().and_then(|o| o.as_name().ok()) {
                        self.form(name, resources, state.page, depth);
                    }
                }
                _ => {}
            }
        }
    }

    /// Draws a form: content with resources and a matrix of its own.
    fn form(&mut self, name: &[u8], resources: &[&Dictionary], page: Matrix, depth: usize) {
        let document = self.document;
        let stream = resources.iter().find_map(|resources| {
            let objects = resources
                .get_deref(b"XObject", document)
                .ok()?
                .as_dict()
                .ok()?;
            objects.get_deref(name, document).ok()?.as_stream().ok()
        });
        let Some(stream) = stream else { return };
        let is_form = stream.dict.get(b"Subtype").and_then(Object::as_name);
        if !is_form.is_ok_and(|name| name == b"Form") {
            return;
        }
        let bytes = stream.get_plain_content_with_limit(self.limit);
        let Ok(content) = bytes.and_then(|bytes| Content::decode(&bytes)) else {
            return;
        };
        let matrix = stream
            .dict
            .get_deref(b"Matrix", document)
            .and_then(Object::as_array);
        let matrix = matrix
            .ok()
            .and_then(|m| Matrix::of(m))
            .unwrap_or(Matrix::IDENTITY);
        let own = stream
            .dict
            .get_deref(b"Resources", document)
            .and_then(Object::as_dict);
        let own = own.map(|own| vec![own]);
        let resources = own.as_deref().unwrap_or(resources);
        self.content(&content.operations, resources, matrix.then(page), depth + 1);
    }

    /// Shows strings; numbers between them move back by thousandths of the font size.
    fn show(&mut self, operands: &[Object], state: &State<'_>, text: &mut Matrix) {
        let Some(font) = &state.font else { return };
        let items = operands.iter().flat_map(|operand| match operand {
            Object::Array(items) => items.as_slice(),
            other => std::slice::from_ref(other),
        });
        for item in items {
            if let Ok(back) = item.as_float() {
                let shift = -back / 1000.0 * state.size * state.stretch;
                *text = Matrix::shift(shift, 0.0).then(*text);
                continue;
            }
            let Ok(bytes) = item.as_str() else { continue };
            let mut shown = String::new();
            font.decode(bytes, &mut shown);
            let (width, n, spaces) = font.measure(bytes);
            let width = (width / 1000.0 * state.size
                + n as f32 * state.char_space
                + spaces as f32 * state.word_space)
                * state.stretch;
            let begin = Matrix::shift(0.0, state.rise).then(*text).then(state.page);
            *text = Matrix::shift(width, 0.0).then(*text);
            let end = Matrix::shift(0.0, state.rise).then(*text).then(state.page);
            self.writer.put(&shown, state.size, begin, end);
        }
    }
}

/// The fonts by the names that content gives them.
fn fonts(resources: &[&Dictionary], document: &Document) -> HashMap<Vec<u8>, Dictionary> {
    let mut found = HashMap::new();
    for resources in resources {
        let Ok(named) = resources
            .get_deref(b"Font", document)
            .and_then(Object::as_dict)
        else {
            continue;
        };
        for (name, font) in named {
            let font = document
                .dereference(font)
                .and_then(|(_, font)| font.as_dict());
            if let Ok(font) = font {
                found
                    .entry(name.clone())
                    .or_insert_with(|| prepared(font, document));
            }
        }
    }
    found
}

/// Puts pieces of text one after another.
struct Writer {
    text: String,
    /// Where the last piece ended, and its font size on the page.
    end: Option<(f32, f32, f32)>,
}

impl Writer {
    fn put(&mut self, shown: &str, size: f32, begin: Matrix, end: Matrix) {
        if shown.is_empty() {
            return;
        }
        // The writing direction on the page, so that rotated text is read as it stands.
        let length = begin.a.hypot(begin.b);
        let (ux, uy) = if length > 0.0 {
            (begin.a / length, begin.b / length)
        } else {
            (1.0, 0.0)
        };
        let size = (size * begin.c.hypot(begin.d)).abs().max(0.1);
        if let Some((x, y, last_size)) = self.end {
            let (dx, dy) = (begin.e - x, begin.f - y);
            let along = dx * ux + dy * uy;
            let across = -dx * uy + dy * ux;
            let scale = size.max(last_size);
            if across.abs() > LINE_STEP * scale.min(4.0 * size) {
                let apart = across < -PARAGRAPH_STEP * scale || across > LINE_STEP * scale * 3.0;
                self.line_break(if apart { "\n\n" } else { "\n" });
            } else if along.abs() > SPACE_GAP * size && !self.text.ends_with([' ', '\n']) {
                self.text.push(' ');
            }
        }
        let at_line_start = self.text.is_empty() || self.text.ends_with('\n');
        self.text.push_str(if at_line_start {
            shown.trim_start()
        } else {
            shown
        });
        self.end = Some((end.e, end.f, size));
    }

    fn line_break(&mut self, mark: &str) {
        let trimmed = self.text.trim_end().len();
        self.text.truncate(trimmed);
        if !self.text.is_empty() {
            self.text.push_str(mark);
        }
    }
}
