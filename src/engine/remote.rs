//! A run that an upstream performs. The pieces of the upstream become cues as they come. The
//! searches that it requests in the stores here are made between two of its turns.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::{
    citations::Cited,
    cue::{Cue, MarkTarget, PerformanceEnd, TimedCue},
    memory::{AfterCues, Cues, Memory},
    prompt,
    run_context::RunContext,
    step_inputs::{self, PrepareError},
};
use crate::{
    fixture::step::Search,
    tokens::{self, TokenPiece as Token},
    types::{
        Api, Id, Message, Step, Tool, Usage,
        message::Content,
        run::{LastError, Performed, Question},
        step::{Searched, ToolCallKind},
        tool::Ranking,
    },
    upstream::{
        Conversation, Finish, MessagePart, Noted, ThreadMessage, Turn, Upstream, UpstreamCall,
        UpstreamPiece, UpstreamRequest,
    },
};

/// The maximum length of an attached file that a model sees, in characters.
const SHOWN: usize = 50_000;

/// A performance by an upstream.
pub(super) struct Remote {
    /// `None` if the server has no upstream after a restart.
    upstream: Option<Arc<Upstream>>,
    noted: Noted,
    turn: Option<Turn>,
    arrived: VecDeque<UpstreamPiece>,
    /// Whether a message is open.
    is_open: bool,
    marks: MarkFinder,
    /// Whether the upstream has sent any content.
    has_answered: bool,
    asked: Option<Id<Question>>,
    /// The model of the run, which measures its tokens.
    model: String,
    pace: Measured,
}

impl Remote {
    pub(super) fn new(upstream: Option<Arc<Upstream>>, noted: Noted) -> Self {
        Self {
            upstream,
            noted,
            turn: None,
            arrived: VecDeque::new(),
            is_open: false,
            marks: MarkFinder::default(),
            has_answered: false,
            asked: None,
            model: String::new(),
            pace: Measured::default(),
        }
    }

    /// How the upstream performed the run, if it did.
    pub(super) fn performed(&self) -> Option<Performed> {
        self.has_answered.then(|| Performed { asked: self.asked.clone(), ..self.pace.performed() })
    }

    /// Stops listening.
    pub(super) fn give_up(&mut self) {
        self.turn = None;
        self.arrived.clear();
    }

    /// Waits until the upstream sends something.
    pub(super) async fn arrive(&mut self) {
        let Some(turn) = &mut self.turn else { return };
        match turn.next().await {
            Some(piece) => {
                self.pace.heard(&piece, &self.model);
                self.arrived.push_back(piece);
                while let Some(piece) = turn.ready() {
                    self.pace.heard(&piece, &self.model);
                    self.arrived.push_back(piece);
                }
            }
            None => self.turn = None,
        }
    }

    /// The cues of the pieces that have arrived. The list is empty while the upstream has not
    /// answered.
    pub(super) async fn next(&mut self, context: &RunContext<'_>) -> Cues {
        let mut cues = Vec::new();
        if self.turn.is_none() && self.arrived.is_empty() {
            let begun = self.begin(context).await;
            if let Err(error) = begun {
                cues.push(failed(error));
            }
        }
        while let Some(piece) = self.arrived.pop_front() {
            if !matches!(piece, UpstreamPiece::Note(_) | UpstreamPiece::End(Finish::Unanswered(_)))
            {
                self.has_answered = true;
            }
            self.play(piece, context, &mut cues).await;
        }
        Cues {
            cues: cues.into_iter().map(TimedCue::now).collect(),
            memory: Memory::Upstream(self.noted.clone()),
            then: if self.turn.is_some() { AfterCues::Wait } else { AfterCues::More },
        }
    }

    async fn begin(&mut self, context: &RunContext<'_>) -> Result<(), LastError> {
        let Some(upstream) = &self.upstream else {
            return Err(LastError::server_error(
                "An upstream began this run, but the server restarted without an upstream.",
            ));
        };
        if self.noted.turns >= upstream.limit {
            return Err(LastError::server_error(format!(
                "The run asked the upstream {} times and did not end. --upstream-limit allows no \
                 more requests.",
                upstream.limit
            )));
        }
        self.noted.turns += 1;
        let question = context.surroundings.user_message.as_ref();
        self.asked = question.map(|message| Id::new(message.id.as_str()));
        context.run.model.clone_into(&mut self.model);
        self.marks = MarkFinder::new(context);
        let conversation = conversation(context)
            .await
            .map_err(|error| LastError::server_error(error.to_string()))?;
        self.pace.begins();
        self.turn = Some(upstream.ask(UpstreamRequest {
            run: context.run.clone(),
            assistant: context.surroundings.assistant.clone(),
            steps: context.steps.to_vec(),
            conversation,
            note: self.noted.note.clone(),
        }));
        Ok(())
    }

    async fn play(&mut self, piece: UpstreamPiece, context: &RunContext<'_>, cues: &mut Vec<Cue>) {
        match piece {
            UpstreamPiece::Message => self.open(cues),
            UpstreamPiece::Text(text) => {
                self.open(cues);
                for said in self.marks.take(&text) {
                    cues.push(said.cue(&context.run.model));
                }
            }
            UpstreamPiece::Refusal(refusal) => {
                self.open(cues);
                cues.push(Cue::Refusal(refusal));
            }
            UpstreamPiece::Said(usage) => {
                self.flush(context, cues);
                self.noted.usage = usage;
                cues.extend(usage.map(Cue::Usage));
                if std::mem::take(&mut self.is_open) {
                    cues.push(Cue::CloseMessage);
                }
            }
            UpstreamPiece::Calls(calls, usage) => {
                self.noted.usage = usage;
                match self.calls(calls, context).await {
                    Ok(made) => {
                        cues.extend(made);
                        // After the beginning of the step, before its end.
                        let end = cues.len() - 1;
                        cues.splice(end..end, usage.map(Cue::Usage));
                    }
                    Err(error) => cues.push(failed(self.cleaned(error))),
                }
            }
            UpstreamPiece::Reasoning(summary) if context.api == Api::Responses => {
                cues.push(Cue::OpenReasoning);
                for part in summary {
                    cues.push(Cue::SummaryPart);
                    let pieces = tokens::pieces(&context.run.model, &part);
                    cues.extend(pieces.into_iter().map(Cue::Summary));
                }
                // The upstream counts these tokens with those of its answer.
                cues.extend([Cue::Usage(Usage::default()), Cue::CloseReasoning]);
            }
            UpstreamPiece::Item(item) if context.api == Api::Responses => {
                cues.push(Cue::Item(item));
            }
            // The Assistants API has no words for them.
            UpstreamPiece::Reasoning(_) | UpstreamPiece::Item(_) => {}
            UpstreamPiece::Note(note) => self.noted.note = note,
            UpstreamPiece::End(finish) => {
                self.flush(context, cues);
                if let Finish::Unanswered(_) = finish {
                    self.has_answered = false;
                }
                if let Finish::Incomplete(_, usage) = &finish {
                    cues.extend(usage.map(Cue::Usage));
                }
                cues.push(match finish {
                    Finish::Failed(error) => end(Finish::Failed(self.cleaned(error))),
                    finish => end(finish),
                });
            }
        }
    }

    fn cleaned(&self, error: LastError) -> LastError {
        self.upstream.as_ref().map_or(error.clone(), |upstream| upstream.cleaned(error))
    }

    fn open(&mut self, cues: &mut Vec<Cue>) {
        if !std::mem::replace(&mut self.is_open, true) {
            cues.push(Cue::OpenMessage);
        }
    }

    /// Plays the held text that could have become a mark and did not.
    fn flush(&mut self, context: &RunContext<'_>, cues: &mut Vec<Cue>) {
        cues.extend(self.marks.rest().map(|said| said.cue(&context.run.model)));
    }

    async fn calls(
        &mut self,
        calls: Vec<UpstreamCall>,
        context: &RunContext<'_>,
    ) -> Result<Vec<Cue>, LastError> {
        let mut cues = vec![Cue::OpenCalls];
        let model = context.run.model.as_str();
        for call in calls {
            match call {
                UpstreamCall::Function { name, arguments } => {
                    check_function(context, &name).inspect_err(|_| self.has_answered = false)?;
                    cues.push(Cue::Function { name });
                    cues.extend(tokens::pieces(model, &arguments).into_iter().map(Cue::Arguments));
                }
                UpstreamCall::Search { query } => {
                    let search = Search { query: None, max_num_results: None, results: None };
                    let found = step_inputs::look_up(&search, query.clone(), context).await;
                    let file_search =
                        found.map_err(|error| LastError::server_error(error.to_string()))?;
                    cues.push(Cue::FileSearch {
                        file_search,
                        tokens: tokens::count(model, &query),
                    });
                }
                UpstreamCall::Searched => {
                    let file_search = Searched {
                        ranking_options: Ranking::default(),
                        results: Vec::new(),
                        query: None,
                    };
                    cues.push(Cue::FileSearch { file_search, tokens: 0 });
                }
                UpstreamCall::Interpreter { input, logs } => {
                    cues.push(Cue::CodeInterpreter);
                    cues.extend(tokens::pieces(model, &input).into_iter().map(Cue::Input));
                    cues.extend(logs.into_iter().map(Cue::Logs));
                }
            }
        }
        cues.push(Cue::CloseCalls);
        Ok(cues)
    }
}

/// Rejects a function that is not among the tools.
fn check_function(context: &RunContext<'_>, name: &str) -> Result<(), LastError> {
    let has = |tool: &Tool| matches!(tool, Tool::Function { function } if function.name == name);
    if context.run.tools.iter().any(has) {
        return Ok(());
    }
    Err(LastError::server_error(format!(
        "The upstream called the function '{name}', but the run has no such tool."
    )))
}

fn failed(error: LastError) -> Cue {
    Cue::End(PerformanceEnd::failed(error))
}

fn end(finish: Finish) -> Cue {
    Cue::End(match finish {
        Finish::Completed(usage) => PerformanceEnd::Completed { usage },
        Finish::Incomplete(reason, _) => PerformanceEnd::Incomplete { reason, usage: None },
        Finish::Failed(error) | Finish::Unanswered(error) => {
            PerformanceEnd::Failed { error, usage: None }
        }
        Finish::Expired => PerformanceEnd::Expired,
    })
}

/// The parts of the thread that the upstream needs.
async fn conversation(context: &RunContext<'_>) -> Result<Conversation, PrepareError> {
    if let Some(of_response) = context.of_response {
        return Ok(Conversation {
            messages: of_response.heard.clone(),
            own: HashMap::new(),
            found: found(context),
            can_search: context.has_stored_files,
            reasoning: of_response.reasoning.clone(),
        });
    }
    let (before, own) = prompt::heard(context.store, context.run)
        .await
        .map_err(|error| PrepareError::Denied(error.into()))?;
    let mut messages = Vec::with_capacity(before.len());
    for message in &before {
        messages.push(heard(message, context).await?);
    }
    let own = own.into_iter().map(|message| (message.id.to_string(), message.text())).collect();
    Ok(Conversation {
        messages,
        own,
        found: found(context),
        can_search: context.has_stored_files,
        reasoning: Value::Null,
    })
}

async fn heard(message: &Message, context: &RunContext<'_>) -> Result<ThreadMessage, PrepareError> {
    let mut parts = Vec::new();
    for content in &message.content {
        match content {
            Content::Text { text } => parts.push(MessagePart::Text(text.value.clone())),
            Content::Refusal { refusal } => parts.push(MessagePart::Text(refusal.clone())),
            Content::ImageUrl { image_url } => {
                parts.push(MessagePart::Image(image_url.url.clone()))
            }
            Content::ImageFile { image_file } => {
                if let Some((file, content)) =
                    context.knowledge.content_of(&image_file.file_id).await?
                {
                    let kind = file.extension().unwrap_or("png").replace("jpg", "jpeg");
                    parts.push(MessagePart::Image(format!(
                        "data:image/{kind};base64,{}",
                        STANDARD.encode(content)
                    )));
                }
            }
        }
    }
    let mut shown = Vec::new();
    for attachment in &message.attachments {
        if !shown.contains(&&attachment.file_id)
            && let Some((file, text)) = context.knowledge.text_of(&attachment.file_id).await?
        {
            let cut: String = text.chars().take(SHOWN).collect();
            let more = if cut.len() < text.len() { "\n[the rest is left out]" } else { "" };
            parts
                .push(MessagePart::Text(format!("[attached file {}]\n{cut}{more}", file.filename)));
            shown.push(&attachment.file_id);
        }
    }
    let run = message.run_id.as_ref().map(ToString::to_string);
    Ok(ThreadMessage { id: message.id.to_string(), run, role: message.role.into(), parts })
}

/// The results of each search, with the marks for citations by the model.
fn found(context: &RunContext<'_>) -> HashMap<String, String> {
    let mut number = 0;
    let mut all = HashMap::new();
    for call in context.steps.iter().flat_map(Step::tool_calls) {
        let ToolCallKind::FileSearch { file_search } = &call.kind else { continue };
        let results = file_search.results.iter().map(|result| {
            let (mark, _) = Cited::of_result(number, result).marked(context.marks());
            number += 1;
            format!("{mark}\n{}", result.text())
        });
        let results: Vec<_> = results.collect();
        let text =
            if results.is_empty() { "Nothing was found.".to_owned() } else { results.join("\n\n") };
        all.insert(call.id.clone(), text);
    }
    all
}

/// Finds the marks of citations in a text that comes in pieces.
#[derive(Debug, Default)]
struct MarkFinder {
    /// The mark of each result and its target, in the order of the results.
    cited: Vec<(String, MarkTarget)>,
    /// The first number of every mark, under v2.
    turn: Option<String>,
    /// The text that can still become a mark.
    held: String,
}

/// The next piece of the text.
#[derive(Debug, PartialEq)]
enum MarkedPiece {
    Plain(String),
    Mark(String, MarkTarget),
}

impl MarkedPiece {
    fn cue(self, model: &str) -> Cue {
        let token = |text: String| Token { tokens: tokens::count(model, &text), text };
        match self {
            Self::Plain(text) => Cue::Text(token(text)),
            Self::Mark(text, refers) => Cue::Marked { piece: token(text), refers },
        }
    }
}

/// The maximum length of a mark, in bytes.
const LONGEST_MARK: usize = 300;

const OPENS: char = '【';
const CLOSES: char = '】';

impl MarkFinder {
    fn new(context: &RunContext<'_>) -> Self {
        let results: Vec<_> = context.results().cloned().collect();
        let mut cited: Vec<_> = results
            .iter()
            .enumerate()
            .map(|(number, result)| Cited::of_result(number, result))
            .collect();
        if context.run.version.is_v1() {
            context.quote(&mut cited, &results);
        }
        let cited = cited.iter().map(|cited| cited.marked(context.marks())).collect();
        let turn =
            (!context.run.version.is_v1()).then(|| context.turn.saturating_mul(4).to_string());
        Self { cited, turn, held: String::new() }
    }

    fn take(&mut self, text: &str) -> Vec<MarkedPiece> {
        let mut said = Vec::new();
        if self.cited.is_empty() {
            plain(&mut said, text);
            return said;
        }
        self.held += text;
        while let Some(opens) = self.held.find(OPENS) {
            plain(&mut said, &self.held[..opens]);
            self.held.drain(..opens);
            match self.held.find(CLOSES) {
                Some(closes) => {
                    let mark: String = self.held.drain(..closes + CLOSES.len_utf8()).collect();
                    match self.refers(&mark) {
                        // Models change the text after the number.
                        Some((mark, refers)) => said.push(MarkedPiece::Mark(mark, refers)),
                        None => plain(&mut said, &mark),
                    }
                }
                None if self.held.len() > LONGEST_MARK => {
                    let first: String = self.held.drain(..OPENS.len_utf8()).collect();
                    plain(&mut said, &first);
                }
                None => return said,
            }
        }
        plain(&mut said, &std::mem::take(&mut self.held));
        said
    }

    fn rest(&mut self) -> Option<MarkedPiece> {
        let held = std::mem::take(&mut self.held);
        (!held.is_empty()).then_some(MarkedPiece::Plain(held))
    }

    /// The target of a mark such as `【4:0†policy.txt】`, and its correct text.
    fn refers(&self, mark: &str) -> Option<(String, MarkTarget)> {
        let inner = mark.trim_start_matches(OPENS).trim_end_matches(CLOSES);
        let number = inner.split('†').next()?.trim();
        let number = match (&self.turn, number.split_once(':')) {
            (Some(turn), Some((first, number))) if first == turn => number,
            (Some(_), _) => return None,
            (None, _) => number,
        };
        self.cited.get(number.parse::<usize>().ok()?).cloned()
    }
}

fn plain(said: &mut Vec<MarkedPiece>, text: &str) {
    match said.last_mut() {
        _ if text.is_empty() => {}
        Some(MarkedPiece::Plain(last)) => last.push_str(text),
        _ => said.push(MarkedPiece::Plain(text.to_owned())),
    }
}

/// The times of the upstream.
#[derive(Debug, Default)]
struct Measured {
    begun: Option<Instant>,
    last: Option<Instant>,
    turns: u32,
    firsts: Duration,
    rest: Duration,
    /// The number of tokens in the rest, as a replay counts them.
    tokens: u32,
}

impl Measured {
    fn begins(&mut self) {
        (self.begun, self.last) = (Some(Instant::now()), None);
        self.turns += 1;
    }

    fn heard(&mut self, piece: &UpstreamPiece, model: &str) {
        let tokens = match piece {
            UpstreamPiece::Text(text) => tokens::count(model, text),
            UpstreamPiece::Calls(calls, _) => {
                let arguments = calls.iter().map(|call| match call {
                    UpstreamCall::Function { arguments, .. } => tokens::count(model, arguments),
                    _ => 0,
                });
                arguments.sum()
            }
            _ => return,
        };
        let (now, mut tokens) = (Instant::now(), u32::try_from(tokens).unwrap_or(u32::MAX));
        match (self.last, self.begun) {
            (Some(last), _) => self.rest += now - last,
            (None, Some(begun)) => {
                self.firsts += now - begun;
                // The wait for the first token is not a wait between tokens.
                tokens = tokens.saturating_sub(1);
            }
            (None, None) => {}
        }
        self.tokens = self.tokens.saturating_add(tokens);
        self.last = Some(now);
    }

    fn performed(&self) -> Performed {
        let mean = |whole: Duration, parts: u32| whole.checked_div(parts).unwrap_or_default();
        Performed {
            first_token: u64::try_from(mean(self.firsts, self.turns).as_millis())
                .unwrap_or(u64::MAX),
            per_token: u64::try_from(mean(self.rest, self.tokens).as_micros()).unwrap_or(u64::MAX),
            asked: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::message::CitedFile;

    #[test]
    fn marks_are_found_however_the_text_is_cut() {
        let cited = |id: &str| MarkTarget::Citation {
            cited: CitedFile { file_id: id.to_owned(), quote: None },
            filename: String::new(),
        };
        let known = || {
            vec![
                ("【4:0†policy.txt】".to_owned(), cited("a")),
                ("【4:1†b.txt】".to_owned(), cited("b")),
            ]
        };
        let text = "Within 14 days【4:0†policy.txt】 or【4:1†source】 never【8:0†x】【note】【4:9†x】.【4:";
        for size in 1..text.chars().count() {
            let mut marks =
                MarkFinder { cited: known(), turn: Some("4".to_owned()), held: String::new() };
            let characters: Vec<char> = text.chars().collect();
            let (mut whole, mut found) = (String::new(), Vec::new());
            let pieces: Vec<String> =
                characters.chunks(size).map(|chunk| chunk.iter().collect()).collect();
            let mut said: Vec<MarkedPiece> =
                pieces.iter().flat_map(|piece| marks.take(piece)).collect();
            said.extend(marks.rest());
            for said in said {
                match said {
                    MarkedPiece::Plain(text) => whole += &text,
                    MarkedPiece::Mark(text, refers) => {
                        whole += &text;
                        found.push(refers);
                    }
                }
            }
            assert_eq!(
                (whole, found),
                (text.replace("1†source", "1†b.txt"), vec![cited("a"), cited("b")])
            );
        }
    }
}
