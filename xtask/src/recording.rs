//! Records real runs on the example corpus for the tests and pictures of the terminal interface: one
//! without a language model, and one with the scripted server behind the real client, which answers
//! from what is put in front of it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use indago::core::Cancel;
use indago::models::{ModelConfig, ModelSet, SetOptions};
use indago::tui::{Recording, Watched};
use indago::{AskSettings, Asker, IndexRequest, ModelChoice, ModelReasoner, Models, Project};
use indago_egress::{Door, Policy};
use indago_oracle::{Gold, Hop, Oracle};
use indago_scripted::{Call, Reply, Server};

/// Name of the corpus in the recording.
const CORPUS: &str = "coast";
/// The query of the library screen.
const QUERY: &str = "Who built the ship?";
/// Where the run without a model lies.
pub(crate) const PATH: &str = "src/tui/tests/coast.json";
/// Where the run with one lies.
pub(crate) const MODEL_PATH: &str = "src/tui/tests/coast-model.json";
/// How fast the scripted model writes: a wait before the first piece, and between two.
const DELAY: Duration = Duration::from_millis(150);
const PACE: Duration = Duration::from_millis(25);

/// Indexes the example corpus, asks, and writes what the interface would see.
pub(crate) fn write(root: &Path, question: &str) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let project = Project::at(folder.path());
    let request = IndexRequest::new(CORPUS, vec![root.join("examples/corpus")]);
    indago::index(&project, &request, &mut |_progress| {}, &Cancel::new())?;
    let encoder = indago::wire::encoder()?;
    indago::embed(
        &project,
        CORPUS,
        encoder.as_ref(),
        &mut |_progress| {},
        &Cancel::new(),
    )?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let asker = Asker::open(&project, CORPUS, 2)?;
    let report = runtime.block_on(asker.ask(question, &AskSettings::default(), &Cancel::new()))?;
    let recording = Recording::of(&project, &report.run, QUERY)?;
    std::fs::write(root.join(PATH), serde_json::to_string(&recording)? + "\n")?;
    let recording = runtime.block_on(by_model(&project))?;
    std::fs::write(
        root.join(MODEL_PATH),
        serde_json::to_string(&recording)? + "\n",
    )?;
    Ok(())
}

/// The sentences that carry the parts.
const BOUGHT: &str = "The autonomous vehicle Lutra was bought from Varga Oceanics in June 2014 for 3.9 \
    million kroner, more than a quarter of the grant.";
const BUILT: &str = "Both were built by Varga Oceanics in Lindhavn, both are named after the otter, and \
    only one of them still exists.";
const FOUNDED: &str = "It was founded in 1994 by Katalin Varga and is still owned by her family; offers \
    to buy it, among them one by Corvane Marine in 2018, have been refused.";

/// What the scripted model knows: how the question falls into parts, and which sentence it has to see
/// before it answers a part.
fn gold() -> Gold {
    let hop = |ask: &str, answer: &str, support: &str, document: &str| Hop {
        ask: ask.to_owned(),
        answer: answer.to_owned(),
        support: vec![support.to_owned()],
        document: document.to_owned(),
    };
    Gold {
        id: "recorded".to_owned(),
        question: "Who founded the company that made the vehicle bought with the FJORDMIX grant?"
            .to_owned(),
        answers: vec!["Katalin Varga".to_owned()],
        hops: vec![
            hop(
                "Which vehicle was bought with the FJORDMIX grant?",
                "Lutra",
                BOUGHT,
                "grants/fjordmix-final-report.pdf",
            ),
            hop(
                "Which company built the autonomous vehicle #1?",
                "Varga Oceanics",
                BUILT,
                "vessels/auv-lutra.html",
            ),
            hop(
                "Who founded #2?",
                "Katalin Varga",
                FOUNDED,
                "suppliers/varga-oceanics.md",
            ),
        ],
    }
}

/// Asks the scripted model, and looks at what it writes meanwhile.
async fn by_model(project: &Project) -> anyhow::Result<Recording> {
    let gold = gold();
    let question = gold.question.clone();
    let oracle = Arc::new(Oracle::new([gold]));
    let server = Server::start(move |call: &Call| {
        let messages = call.messages().into_iter().map(|m| (m.role, m.text));
        let mut reply = Reply::text(oracle.reply(messages.collect()));
        (reply.delay, reply.pace) = (DELAY, PACE);
        reply
    });
    let config = ModelConfig::new(server.base_url(), "scripted");
    let configs = [("small".to_owned(), config)].into();
    let policy = Policy {
        origins: ModelSet::origins(&configs)?,
        ..Policy::default()
    };
    let models = ModelSet::new(
        configs,
        &Door::new(policy)?,
        |_| None,
        SetOptions::default(),
    )?;
    let models = Models::one(models.chat("small").context("a chat model")?);
    let choice = ModelChoice {
        model: "small".to_owned(),
        strategy: "auto_rag".to_owned(),
        words: 250,
    };
    let reasoner = ModelReasoner::with_models(models, choice)?;
    let asker = Asker::open_with(project, CORPUS, 2, Some(reasoner))?;
    let settings = AskSettings {
        plan: Some("mind_search".to_owned()),
        ..AskSettings::default()
    };
    let run = asker.start(&question, &settings).await?;
    let mut watched = Watched::begin(project, run.id())?;
    let ended = run.output();
    tokio::pin!(ended);
    loop {
        tokio::select! {
            output = &mut ended => {
                output?;
                break;
            }
            () = tokio::time::sleep(Duration::from_millis(30)) => watched.look()?,
        }
    }
    Ok(Recording::of(project, run.id(), QUERY)?.with_calls(watched))
}

/// Reads a recording.
pub(crate) fn read(root: &Path, path: &str) -> anyhow::Result<Recording> {
    let text = std::fs::read_to_string(root.join(path))
        .context("no recording: run `cargo run -p xtask -- recording`")?;
    Ok(serde_json::from_str(&text)?)
}
