//! Source code: functions, types and modules become sections named as a programmer would name them.
//!
//! Grammars are those of tree-sitter, whose parsers recover from errors; code in other languages is
//! cut at blank lines.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use indago_core::DocumentKind;
use tree_sitter::{Node, ParseOptions, Parser, Tree};

use super::draft::{Draft, collapse, shorten};
use super::{LoadLimits, Loaded, read};
use crate::ingest::outline::{Block, BlockKind, Heading, Lines};
use crate::ingest::{FoundFile, Skipped};

/// Definitions are looked for down to this depth of the syntax tree.
const MAX_DEPTH: usize = 24;
/// Name of a section at most.
const NAME_BYTES: usize = 120;
/// A program this large is data in disguise; it is cut at blank lines without being parsed.
const MAX_PARSED_BYTES: usize = 4 << 20;

/// A language whose structure is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Language {
    /// `.rs`
    Rust,
    /// `.py`
    Python,
    /// `.js`, `.jsx`, `.mjs`, `.cjs`
    JavaScript,
    /// `.ts`, `.mts`, `.cts`
    TypeScript,
    /// `.tsx`
    Tsx,
    /// `.go`
    Go,
    /// `.java`
    Java,
    /// `.c`, `.h`
    C,
    /// `.cpp`, `.cc`, `.hpp` and the like
    Cpp,
    /// A language without a grammar here.
    Other,
}

impl Language {
    /// The language that a file name's extension stands for.
    pub(super) fn of_extension(extension: &str) -> Option<Self> {
        Some(match extension {
            "rs" => Self::Rust,
            "py" | "pyi" => Self::Python,
            "js" | "jsx" | "mjs" | "cjs" => Self::JavaScript,
            "ts" | "mts" | "cts" => Self::TypeScript,
            "tsx" => Self::Tsx,
            "go" => Self::Go,
            "java" => Self::Java,
            "c" | "h" => Self::C,
            "cc" | "cpp" | "cxx" | "hh" | "hpp" | "hxx" | "inl" => Self::Cpp,
            "rb" | "php" | "cs" | "swift" | "kt" | "kts" | "scala" | "sh" | "bash" | "zsh"
            | "fish" | "pl" | "pm" | "lua" | "r" | "jl" | "hs" | "ml" | "mli" | "ex" | "exs"
            | "erl" | "clj" | "cljs" | "el" | "lisp" | "scm" | "sql" | "zig" | "nim" | "d"
            | "dart" | "vue" | "svelte" | "css" | "scss" | "less" | "proto" | "cu" | "cuh"
            | "m" | "mm" | "f90" | "f" | "pas" | "ps1" | "bat" | "cmake" | "mk" | "tf" | "nix"
            | "groovy" | "gradle" | "vb" | "asm" | "s" | "v" | "sv" | "vhd" => Self::Other,
            _ => return None,
        })
    }

    /// Name for metadata; `None` where the extension says more.
    fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::Rust => "rust",
            Self::Python => "python",
            Self::JavaScript => "javascript",
            Self::TypeScript | Self::Tsx => "typescript",
            Self::Go => "go",
            Self::Java => "java",
            Self::C => "c",
            Self::Cpp => "c++",
            Self::Other => return None,
        })
    }

    fn grammar(self) -> Option<tree_sitter::Language> {
        Some(match self {
            Self::Rust => tree_sitter_rust::LANGUAGE.into(),
            Self::Python => tree_sitter_python::LANGUAGE.into(),
            Self::JavaScript => tree_sitter_javascript::LANGUAGE.into(),
            Self::TypeScript => tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into(),
            Self::Tsx => tree_sitter_typescript::LANGUAGE_TSX.into(),
            Self::Go => tree_sitter_go::LANGUAGE.into(),
            Self::Java => tree_sitter_java::LANGUAGE.into(),
            Self::C => tree_sitter_c::LANGUAGE.into(),
            Self::Cpp => tree_sitter_cpp::LANGUAGE.into(),
            Self::Other => return None,
        })
    }
}

pub(super) fn load(
    file: &FoundFile,
    limits: &LoadLimits,
    language: Language,
) -> Result<Loaded, Skipped> {
    let decoded = read::text(file, limits)?;
    let mut draft = Draft::new(DocumentKind::SourceCode, decoded.text);
    draft.notes.extend(decoded.warning);
    draft.outline.lines = Lines::From(1);
    let extension = file
        .relative
        .rsplit_once('.')
        .map_or("", |(_, extension)| extension);
    let name = language
        .name()
        .map_or_else(|| extension.to_ascii_lowercase(), str::to_owned);
    draft.set("language", &name);
    if let Some(tree) = parse(&draft.text, language, limits.time, &mut draft.notes) {
        draft.outline.headings = definitions(&tree, &draft.text);
    }
    draft.outline.blocks = code_blocks(&draft.text);
    draft.alone(file)
}

fn parse(text: &str, language: Language, limit: Duration, notes: &mut Vec<String>) -> Option<Tree> {
    let grammar = language.grammar()?;
    if text.len() > MAX_PARSED_BYTES {
        notes.push("too long to be parsed as code; cut at blank lines instead".to_owned());
        return None;
    }
    let mut parser = Parser::new();
    parser.set_language(&grammar).ok()?;
    let deadline = Instant::now() + limit;
    let mut in_time = |_: &tree_sitter::ParseState| {
        if Instant::now() < deadline {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    };
    let options = ParseOptions::new().progress_callback(&mut in_time);
    let bytes = text.as_bytes();
    let tree = parser.parse_with_options(
        &mut |at, _| bytes.get(at..).unwrap_or_default(),
        None,
        Some(options),
    );
    if tree.is_none() {
        notes.push("took too long to be parsed as code; cut at blank lines instead".to_owned());
    }
    tree
}

/// Sections for all definitions, with the comments and attributes right above them.
fn definitions(tree: &Tree, text: &str) -> Vec<Heading> {
    let mut headings: Vec<Heading> = Vec::new();
    let mut cursor = tree.walk();
    let mut depth = 0;
    // Where the lead (comments, attributes) of the next definition begins, level by level.
    let mut leads: Vec<Option<usize>> = vec![None];
    loop {
        let node = cursor.node();
        let mut descend = depth < MAX_DEPTH && holds_definitions(node.kind());
        if let Some(lead) = leads.last_mut() {
            if is_lead(node.kind()) {
                let touches = lead.is_some() || !is_trailing(text, node.start_byte());
                if touches && lead.is_none() {
                    *lead = Some(node.start_byte());
                }
            } else {
                let start = lead.take().unwrap_or(node.start_byte());
                if let Some(name) = definition_name(node, text) {
                    let start = line_start(text, start);
                    let floor = headings
                        .iter()
                        .rev()
                        .find(|h| h.range.end > start)
                        .map_or(0, |h| h.range.start);
                    headings.push(Heading {
                        range: start.max(floor)..node.end_byte(),
                        text: name,
                    });
                    descend = depth < MAX_DEPTH;
                }
            }
        }
        if descend && cursor.goto_first_child() {
            depth += 1;
            leads.push(None);
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return nested(headings);
            }
            depth -= 1;
            leads.pop();
        }
    }
}

/// Whether something other than white space stands before `at` on its line.
fn is_trailing(text: &str, at: usize) -> bool {
    text[line_start(text, at)..at]
        .trim()
        .is_empty()
        .then_some(())
        .is_none()
}

fn line_start(text: &str, at: usize) -> usize {
    let before = &text[..at];
    let start = before.rfind('\n').map_or(0, |n| n + 1);
    if before[start..].trim().is_empty() {
        start
    } else {
        at
    }
}

/// Drops the part of a section that reaches over its parent's end or its neighbour's.
fn nested(mut headings: Vec<Heading>) -> Vec<Heading> {
    headings.sort_by_key(|h| (h.range.start, usize::MAX - h.range.end));
    let mut open: Vec<usize> = Vec::new();
    for heading in &mut headings {
        while open.last().is_some_and(|end| *end <= heading.range.start) {
            open.pop();
        }
        if let Some(&end) = open.last() {
            heading.range.end = heading.range.end.min(end);
        }
        open.push(heading.range.end);
    }
    headings
}

fn is_lead(kind: &str) -> bool {
    kind.contains("comment") || matches!(kind, "attribute_item" | "decorator")
}

/// Nodes that are looked into although they are no definition.
fn holds_definitions(kind: &str) -> bool {
    matches!(
        kind,
        "source_file"
            | "module"
            | "program"
            | "translation_unit"
            | "declaration_list"
            | "field_declaration_list"
            | "block"
            | "class_body"
            | "interface_body"
            | "enum_body"
            | "enum_body_declarations"
            | "statement_block"
            | "export_statement"
            | "decorated_definition"
            | "linkage_specification"
            | "template_declaration"
            | "preproc_ifdef"
            | "preproc_if"
            | "preproc_else"
            | "type_declaration"
            | "lexical_declaration"
            | "variable_declaration"
            | "ambient_declaration"
            | "expression_statement"
            | "internal_module"
    )
}

/// The name of a definition, with its kind where the language has a word for it.
fn definition_name(node: Node<'_>, text: &str) -> Option<String> {
    let field = |name: &str| {
        node.child_by_field_name(name)
            .and_then(|n| n.utf8_text(text.as_bytes()).ok())
    };
    let name = match node.kind() {
        "function_item" | "function_signature_item" => format!("fn {}", field("name")?),
        "struct_item" => format!("struct {}", field("name")?),
        "enum_item" | "enum_declaration" => format!("enum {}", field("name")?),
        "union_item" => format!("union {}", field("name")?),
        "trait_item" => format!("trait {}", field("name")?),
        "mod_item" => {
            node.child_by_field_name("body")?;
            format!("mod {}", field("name")?)
        }
        "macro_definition" => format!("macro {}", field("name")?),
        "impl_item" => match field("trait") {
            Some(of) => format!("impl {of} for {}", field("type")?),
            None => format!("impl {}", field("type")?),
        },
        "class_definition" | "class_declaration" | "abstract_class_declaration" => {
            format!("class {}", field("name")?)
        }
        "class_specifier" => {
            node.child_by_field_name("body")?;
            format!("class {}", field("name")?)
        }
        "struct_specifier" | "enum_specifier" | "union_specifier" => {
            node.child_by_field_name("body")?;
            format!("{} {}", node.kind().split('_').next()?, field("name")?)
        }
        "namespace_definition" => format!("namespace {}", field("name")?),
        "interface_declaration" => format!("interface {}", field("name")?),
        "record_declaration" => format!("record {}", field("name")?),
        "type_alias_declaration" | "type_spec" => format!("type {}", field("name")?),
        "method_definition"
        | "method_declaration"
        | "constructor_declaration"
        | "function_declaration"
        | "generator_function_declaration" => {
            let receiver = field("receiver").map(|r| format!("{} ", collapse(r)));
            format!("{}{}", receiver.unwrap_or_default(), field("name")?)
        }
        "variable_declarator" => {
            let value = node.child_by_field_name("value")?;
            matches!(
                value.kind(),
                "arrow_function" | "function_expression" | "class"
            )
            .then(|| field("name").map(str::to_owned))??
        }
        // Python has this kind with a name, C and C++ with a declarator around it.
        "function_definition" => match field("name") {
            Some(name) => format!("def {name}"),
            None => declared_name(node.child_by_field_name("declarator")?, text)?,
        },
        _ => return None,
    };
    let name = collapse(&name);
    Some(shorten(&name, NAME_BYTES).to_owned())
}

/// The name inside C's nested declarators: `*(name(args))[4]`.
fn declared_name(mut node: Node<'_>, text: &str) -> Option<String> {
    for _ in 0..16 {
        match node.child_by_field_name("declarator") {
            Some(inner) => node = inner,
            None => break,
        }
    }
    node.utf8_text(text.as_bytes()).ok().map(str::to_owned)
}

/// Runs of lines without a blank line, as code.
fn code_blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut at = 0;
    let mut open: Option<usize> = None;
    for line in text.split_inclusive('\n') {
        if line.trim().is_empty() {
            if let Some(start) = open.take() {
                blocks.push(Block {
                    range: start..at,
                    kind: BlockKind::Code,
                });
            }
        } else {
            open = open.or(Some(at));
        }
        at += line.len();
    }
    if let Some(start) = open {
        blocks.push(Block {
            range: start..at,
            kind: BlockKind::Code,
        });
    }
    blocks
}
