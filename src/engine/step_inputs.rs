//! The inputs that an entry of a reply needs before its performance: search results, files, cited
//! files.
//!
//! Everything here can run twice: a run that continues after a crash makes the same files again and
//! finds them.

use super::{citations::Cited, responses::context::ResponseContainer, run_context::RunContext};
use crate::{
    fixture::{
        Reply, ReplyStep,
        asset::Asset,
        step::{Citation, Citations, GivenResult, ReplyCall, Search},
        template::{self, TemplateError, Variables},
    },
    knowledge::{KnowledgeError, SearchQuestion},
    search::{passage, words::Words},
    types::{
        File, Id, Tool,
        file::{NewFile, Purpose},
        limits,
        model::Family,
        reader,
        search::{Filter, TextPart},
        step::{SearchResult, Searched},
        store_file::Attributes,
        tool::{FileSearch, Ranking},
    },
};

/// The inputs of one entry.
#[derive(Debug, Default)]
pub(super) struct StepInputs {
    /// The query and the results of each search call, in their order.
    pub searches: Vec<(String, Searched)>,
    /// The files that the reply has made, with their names, in the order of `Reply::assets`.
    pub files: Vec<(String, Id<File>)>,
    /// The files that the message names as its sources.
    pub cited: Vec<Cited>,
}

/// Why an entry cannot be performed.
#[derive(Debug, thiserror::Error)]
pub(super) enum PrepareError {
    #[error("the template of this step fails: {} (line {} of its text)", .0.what, .0.line)]
    Template(TemplateError),
    #[error("{0}")]
    Denied(#[from] KnowledgeError),
    #[error("cannot read the file '{name}': {source}")]
    Asset { name: String, source: std::io::Error },
    #[error("no file has the id or the name '{0}'")]
    NoFile(String),
}

impl From<TemplateError> for PrepareError {
    fn from(error: TemplateError) -> Self {
        Self::Template(error)
    }
}

/// Collects all inputs of an entry.
pub(super) async fn prepare(
    reply: &Reply,
    entry: &ReplyStep,
    context: &RunContext<'_>,
    variables: &Variables<'_>,
) -> Result<StepInputs, PrepareError> {
    let mut inputs = StepInputs::default();
    match entry {
        ReplyStep::Message(said) => {
            inputs.files = make_files(reply, entry, context).await?;
            if let Citations::List(list) = &said.citations {
                for citation in list {
                    let cited = cite(citation, inputs.cited.len(), context, variables).await?;
                    inputs.cited.push(cited);
                }
            }
        }
        ReplyStep::ToolCalls(calls) => {
            if calls.iter().any(|call| matches!(call, ReplyCall::CodeInterpreter { .. })) {
                use_container(context).await?;
            }
            inputs.files = make_files(reply, entry, context).await?;
            for call in calls {
                if let ReplyCall::FileSearch(search) = call {
                    inputs.searches.push(perform(search, context, variables).await?);
                }
            }
        }
        ReplyStep::Reasoning(_) | ReplyStep::Item(_) => {}
        ReplyStep::Pause(_) | ReplyStep::Await | ReplyStep::Disconnect => {}
    }
    Ok(inputs)
}

/// Notes that a code interpreter runs. Only responses have a container for it.
async fn use_container(context: &RunContext<'_>) -> Result<(), PrepareError> {
    if let Some(ResponseContainer { id, new }) = context.container() {
        context.knowledge.use_container(id, new.as_ref()).await?;
    }
    Ok(())
}

/// Makes the files of an entry. Their ids depend on the run and on their place in the reply. The
/// files of a response are in its container.
async fn make_files(
    reply: &Reply,
    entry: &ReplyStep,
    context: &RunContext<'_>,
) -> Result<Vec<(String, Id<File>)>, PrepareError> {
    let all = reply.assets();
    let mut made = Vec::new();
    for asset in entry.assets() {
        let place = all.iter().position(|known| known.is_same(asset)).unwrap_or_default();
        let id = match context.container() {
            Some(_) => Id::new(context.ids.container_file(place).as_str()),
            None => context.ids.file(place),
        };
        if !made.iter().any(|(_, known)| *known == id) {
            make_file(context, asset, &reply.origin.file, id.clone()).await?;
            made.push((asset.name.clone(), id));
        }
    }
    Ok(made)
}

async fn make_file(
    context: &RunContext<'_>,
    asset: &Asset,
    fixture: &str,
    id: Id<File>,
) -> Result<(), PrepareError> {
    let (own, fixture) = (asset.clone(), fixture.to_owned());
    let read = crate::knowledge::on_disk(move || own.load(&fixture)).await;
    let content =
        read.map_err(|source| PrepareError::Asset { name: asset.name.clone(), source })?;
    if let Some(ResponseContainer { id: container, new }) = context.container() {
        context.knowledge.use_container(container, new.as_ref()).await?;
        let id = Id::new(id.as_str());
        context.knowledge.make_in_container(container, id, &asset.name, content).await?;
        return Ok(());
    }
    let new = NewFile {
        filename: asset.name.clone(),
        purpose: Purpose::AssistantsOutput,
        expires_after: None,
    };
    context.knowledge.make_file_as(id, new, content).await?;
    Ok(())
}

async fn perform(
    search: &Search,
    context: &RunContext<'_>,
    variables: &Variables<'_>,
) -> Result<(String, Searched), PrepareError> {
    let query = match &search.query {
        Some(query) => template::render(query, variables)?,
        None => context.message_text(),
    };
    let mut found = look_up(search, query.clone(), context).await?;
    if let Some(given) = &search.results {
        found.results = give(given, context, variables).await?;
    }
    Ok((query, found))
}

/// Searches the stores of the run, unless the fixture gives the results.
pub(super) async fn look_up(
    search: &Search,
    query: String,
    context: &RunContext<'_>,
) -> Result<Searched, PrepareError> {
    let tool = context.run.tools.iter().find_map(|tool| {
        if let Tool::FileSearch { file_search } = tool { Some(file_search) } else { None }
    });
    let default = FileSearch::default();
    let tool = tool.unwrap_or(&default);
    let results = match &search.results {
        Some(_) => Vec::new(),
        None => {
            let most = search
                .max_num_results
                .or(tool.max_num_results.and_then(|most| usize::try_from(most).ok()));
            let usual = Family::of_model(&context.run.model)
                .map_or(limits::TOOL_RESULTS, |family| family.search_results);
            // The request was checked when it came.
            let filters = context.of_response.and_then(|of_response| of_response.filters.clone());
            let filter: Option<Filter> = filters.and_then(|filters| reader::read(filters).ok());
            let question = SearchQuestion {
                queries: std::slice::from_ref(&query),
                filter: filter.as_ref(),
                score_threshold: tool.ranking_options.score_threshold,
                skip: 0,
                most: most.unwrap_or(usual),
            };
            let (hits, _) = context.knowledge.search(context.stores, &question).await?;
            let results = hits.into_iter().map(|hit| SearchResult {
                store: Some(hit.store),
                file_id: hit.file_id,
                file_name: hit.filename,
                score: hit.score,
                attributes: Some(hit.attributes),
                content: Some(vec![TextPart::new(hit.text)]),
            });
            results.collect()
        }
    };
    Ok(Searched {
        ranking_options: Ranking::from(&tool.ranking_options),
        results,
        query: Some(query),
    })
}

/// The results that the fixture gives in place of a search.
async fn give(
    given: &[GivenResult],
    context: &RunContext<'_>,
    variables: &Variables<'_>,
) -> Result<Vec<SearchResult>, PrepareError> {
    let mut results = Vec::new();
    for GivenResult { file, score, text } in given {
        let name = template::render(file, variables)?;
        let file = context.knowledge.file_called(&name).await?.ok_or(PrepareError::NoFile(name))?;
        results.push(SearchResult {
            store: None,
            file_id: file.id.to_string(),
            file_name: file.filename,
            score: *score,
            attributes: Some(Attributes::default()),
            content: Some(vec![TextPart::new(template::render(text, variables)?)]),
        });
    }
    Ok(results)
}

/// Finds a cited file by its id, its name or its path, first among the results.
async fn cite(
    citation: &Citation,
    number: usize,
    context: &RunContext<'_>,
    variables: &Variables<'_>,
) -> Result<Cited, PrepareError> {
    let called = template::render(&citation.file, variables)?;
    let quote =
        citation.quote.as_ref().map(|quote| template::render(quote, variables)).transpose()?;
    let name = called.rsplit('/').next().unwrap_or_default();
    let results: Vec<_> = context.results().collect();
    let is_it = |result: &SearchResult| {
        result.file_id == called || result.file_name == called || result.file_name == name
    };
    let quoted = results.iter().position(|result| {
        is_it(result) && quote.as_deref().is_some_and(|quote| result.text().contains(quote))
    });
    if let Some(place) = quoted.or_else(|| results.iter().position(|result| is_it(result))) {
        let best = || {
            passage::best(results[place].text(), &Words::default().sought(&context.message_text()))
                .to_owned()
        };
        return Ok(Cited {
            quote: Some(quote.unwrap_or_else(best)),
            ..Cited::of_result(place, results[place])
        });
    }
    let file = context.knowledge.file_called(&called).await?.ok_or(PrepareError::NoFile(called))?;
    Ok(Cited { file_id: file.id, file_name: file.filename, number: results.len() + number, quote })
}
