//! A request as the oracle sees it: messages, and the numbered blocks in them.

use crate::gold::norm;

/// The messages of a request: roles and texts.
#[derive(Clone, Debug)]
pub struct Seen {
    messages: Vec<(String, String)>,
    visible: String,
    /// Blocks with a label: (label, number, text).
    blocks: Vec<(String, usize, String)>,
}

impl Seen {
    /// Reads messages.
    pub fn new(messages: Vec<(String, String)>) -> Self {
        let from_outside: Vec<&str> = messages
            .iter()
            .filter(|(role, _)| role != "assistant" && role != "system")
            .map(|(_, text)| text.as_str())
            .collect();
        let text = from_outside.join("\n");
        Self {
            visible: format!(" {} ", norm(&text)),
            blocks: blocks(&text),
            messages,
        }
    }

    /// Whether words stand in what it was sent, wherever.
    pub fn has(&self, phrase: &str) -> bool {
        let phrase = norm(phrase);
        !phrase.is_empty() && self.visible.contains(&format!(" {phrase} "))
    }

    /// What stands between the last `<tag>` and `</tag>` of user messages.
    pub fn tag(&self, tag: &str) -> Option<String> {
        let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
        self.messages
            .iter()
            .filter(|(role, _)| role == "user")
            .rev()
            .find_map(|(_, text)| {
                let start = text.rfind(&open)? + open.len();
                let end = start + text[start..].find(&close)?;
                Some(text[start..end].to_owned())
            })
    }

    /// The task named by the last `Task:` line of the program.
    pub fn task(&self) -> &str {
        self.messages
            .iter()
            .filter(|(role, _)| role == "user")
            .flat_map(|(_, text)| text.lines())
            .filter_map(|line| line.strip_prefix("Task: "))
            .next_back()
            .unwrap_or_default()
            .trim()
    }

    /// Numbers of the statements that a section is to rest on.
    pub fn statements(&self) -> Vec<usize> {
        self.messages
            .iter()
            .flat_map(|(_, text)| text.lines())
            .filter_map(|line| line.strip_prefix("It rests on the statements "))
            .flat_map(|list| list.split(|c: char| !c.is_ascii_digit()))
            .filter_map(|n| n.parse().ok())
            .collect()
    }

    /// Turns the model wrote itself.
    pub fn own(&self) -> impl Iterator<Item = &str> {
        self.messages
            .iter()
            .filter(|(role, _)| role == "assistant")
            .map(|(_, text)| text.as_str())
    }

    /// Blocks whose label begins with `label`: number and text.
    pub fn blocks<'a>(&'a self, label: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
        self.blocks
            .iter()
            .filter(move |(l, _, _)| l == label)
            .map(|(_, n, text)| (*n, text.as_str()))
    }
}

/// Labelled blocks. A block begins with a short line that has its label and number (`passage 3`)
/// inside any marks, and ends where the next begins or a line closes it.
fn blocks(text: &str) -> Vec<(String, usize, String)> {
    let mut found: Vec<(String, usize, String)> = Vec::new();
    let mut open = false;
    for line in text.lines() {
        let marked = line.starts_with(['<', '[', '=', '-', '#', '`']) && line.len() < 160;
        let head = marked.then(|| heading(line)).flatten();
        if let Some((label, n)) = head {
            found.push((label, n, String::new()));
            open = true;
        } else if marked && (line.starts_with("</") || line.contains("end of")) {
            open = false;
        } else if open && let Some((_, _, body)) = found.last_mut() {
            body.push_str(line);
            body.push('\n');
        }
    }
    found
}

/// Label and number in the first line of a block.
fn heading(line: &str) -> Option<(String, usize)> {
    const LABELS: &[&str] = &[
        "passage",
        "statement",
        "finding",
        "refused sentence",
        "note",
        "quotes of claim",
        "claim",
    ];
    let lower = line.to_lowercase();
    if lower.starts_with("</") {
        return None;
    }
    let label = LABELS.iter().find(|l| lower.contains(**l))?;
    let after = &lower[lower.find(label)? + label.len()..];
    let digits: String = after
        .chars()
        .skip_while(|c| !c.is_ascii_digit())
        .take_while(char::is_ascii_digit)
        .collect();
    Some(((*label).to_owned(), digits.parse().unwrap_or(0)))
}
