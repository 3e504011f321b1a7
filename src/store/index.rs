//! The index of words: which chunks of a store have which words, and how well they answer.
//!
//! The words of all stores are in one FTS5 table, each marked with the number of its store. The
//! rank is BM25 over the numbers of that store alone. FTS5's own `bm25()` counts the chunks of all
//! stores, even of other sessions, so the same search would not give the same scores. A search
//! reads only the first occurrences of a common word, so it costs much the same in a large store.

use serde_json::json;
use sqlx::{AssertSqlSafe, Row};

use super::{
    Result, Store,
    table::{corrupt, parse},
};
use crate::types::{File, Id, StoreFile, VectorStore, store_file::Attributes};

/// How many occurrences a search reads, for all its words together.
const OCCURRENCES: i64 = 2_400;
/// How many chunks a search returns at most.
const CANDIDATES: i64 = 2_000;

/// How soon more of the same word counts less, and how much the length of a chunk matters. FTS5's
/// `bm25()` has the same values.
const K1: f64 = 1.2;
const B: f64 = 0.75;

/// A word that is searched for.
#[derive(Clone, Debug)]
pub struct Term(pub String);

/// A chunk that was found.
#[derive(Clone, Debug)]
pub struct FoundChunk {
    pub key: i64,
    /// How well it answers: about 1 if all words that the store knows are there once.
    pub quality: f64,
}

/// A chunk with the data that results show.
#[derive(Debug)]
pub struct Passage {
    pub file: StoreFile,
    pub filename: String,
    pub text: String,
}

/// The mark of a store, which is the prefix of each of its words.
pub(crate) fn mark_of(store: i64) -> String {
    format!("{store}q")
}

impl Store {
    /// The chunks of a store that have some of these words, best first. Equal chunks come in the
    /// order of their files. If `files` has numbers, only chunks of those files count.
    pub async fn search_words(
        &self,
        store: &Id<VectorStore>,
        terms: &[Term],
        files: Option<&[i64]>,
    ) -> Result<Vec<FoundChunk>> {
        let mut reader = self.database.reader().await?;
        let sql = "select seq, chunks, words from vector_stores where session = ? and id = ?";
        let query = sqlx::query_as(sql).bind(self.session).bind(store.as_str());
        let Some((number, chunks, words)): Option<(i64, i64, i64)> =
            query.fetch_optional(&mut *reader).await?
        else {
            return Ok(Vec::new());
        };
        if chunks == 0 || terms.is_empty() {
            return Ok(Vec::new());
        }
        let mark = mark_of(number);
        let marked: Vec<_> = terms.iter().map(|Term(word)| format!("{mark}{word}")).collect();
        let sql = "select asked.value, coalesce((select doc from chunk_term_counts where term = \
                   asked.value), 0) from json_each(?) as asked";
        let counted: Vec<(String, i64)> =
            sqlx::query_as(sql).bind(json!(marked).to_string()).fetch_all(&mut *reader).await?;
        let weights = Weights::new(counted, chunks);
        if weights.known.is_empty() {
            return Ok(Vec::new());
        }
        let mut query = sqlx::query(AssertSqlSafe(ranking(weights.known.len(), files.is_some())))
            .bind(json!(files).to_string())
            .bind(K1)
            .bind(B)
            .bind((words as f64 / chunks as f64).max(1.0))
            .bind(OCCURRENCES / weights.known.len() as i64)
            .bind(CANDIDATES);
        for (term, weight) in &weights.known {
            query = query.bind(term).bind(weight);
        }
        let rows = query.fetch_all(&mut *reader).await?;
        let found = rows.iter().map(|row| {
            let quality: f64 = row.try_get(1)?;
            Ok(FoundChunk { key: row.try_get(0)?, quality: quality / weights.total })
        });
        found.collect()
    }

    /// The files of a store that are ready, by their numbers, with their attributes.
    pub async fn attributes_of(&self, store: &Id<VectorStore>) -> Result<Vec<(i64, Attributes)>> {
        let sql = "select seq, body -> '$.attributes' from vector_store_files where session = ? \
                   and vector_store_id = ? and status = 'completed'";
        let query = sqlx::query_as(sql).bind(self.session).bind(store.as_str());
        let rows: Vec<(i64, String)> = query.fetch_all(&mut *self.database.reader().await?).await?;
        let parsed = rows.into_iter().map(|(number, attributes)| {
            let attributes = serde_json::from_str(&attributes)
                .map_err(|source| corrupt::<StoreFile>(format!("row {number}"), source))?;
            Ok((number, attributes))
        });
        parsed.collect()
    }

    /// Chunks with the data that results show, in the order of the keys; `None` for a chunk whose
    /// file is not ready, or gone.
    pub async fn passages(&self, keys: &[i64]) -> Result<Vec<Option<Passage>>> {
        let sql = "select asked.key, file.body, chunks.text, files.filename from json_each(?) as \
                   asked cross join chunks on chunks.key = asked.value cross join \
                   vector_store_files as file on file.seq = chunks.key >> 20 and file.status = \
                   'completed' cross join files on files.session = file.session and files.id = \
                   file.id";
        let rows = sqlx::query(sql)
            .bind(json!(keys).to_string())
            .fetch_all(&mut *self.database.reader().await?)
            .await?;
        let mut passages: Vec<Option<Passage>> = keys.iter().map(|_| None).collect();
        for row in rows {
            let number: i64 = row.try_get(0)?;
            let passage = Passage {
                file: parse(row.try_get(1)?)?,
                text: row.try_get(2)?,
                filename: row.try_get(3)?,
            };
            if let Some(place) =
                usize::try_from(number).ok().and_then(|number| passages.get_mut(number))
            {
                *place = Some(passage);
            }
        }
        Ok(passages)
    }

    /// The chunks of a file in a store: where each begins, in bytes, and its text. They overlap.
    pub async fn chunks_of(&self, file: &StoreFile) -> Result<Vec<(i64, String)>> {
        let sql = "select start, text from vector_store_files as file cross join chunks on key >= \
                   file.seq << 20 and key < (file.seq + 1) << 20 where session = ? and \
                   vector_store_id = ? and id = ? order by key";
        let query = sqlx::query_as(sql)
            .bind(self.session)
            .bind(file.vector_store_id.as_str())
            .bind(file.id.as_str());
        Ok(query.fetch_all(&mut *self.database.reader().await?).await?)
    }

    /// The whole text of a file in a store, put together from its chunks.
    pub async fn text_of(&self, file: &StoreFile) -> Result<String> {
        let mut whole = String::new();
        for (start, text) in self.chunks_of(file).await? {
            let known = whole.len().saturating_sub(usize::try_from(start).unwrap_or_default());
            whole.push_str(text.get(known..).unwrap_or_default());
        }
        Ok(whole)
    }

    /// The files with these ids; `None` where there is no such file.
    pub async fn find_files(&self, ids: &[String]) -> Result<Vec<Option<File>>> {
        let sql = "select asked.key, body from json_each(?) as asked cross join files on session = \
                   ? and files.id = asked.value";
        let query = sqlx::query(sql).bind(json!(ids).to_string()).bind(self.session);
        let mut found: Vec<Option<File>> = ids.iter().map(|_| None).collect();
        for row in query.fetch_all(&mut *self.database.reader().await?).await? {
            let number: i64 = row.try_get(0)?;
            if let Some(place) =
                usize::try_from(number).ok().and_then(|number| found.get_mut(number))
            {
                *place = Some(parse(row.try_get(1)?)?);
            }
        }
        Ok(found)
    }
}

/// The statement that ranks chunks by so many words. It reads only so many occurrences of a common
/// word.
fn ranking(terms: usize, within_files: bool) -> String {
    const OWN: usize = 6;
    let only = if within_files { "and doc >> 20 in (select value from json_each(?1))" } else { "" };
    let occurrences: Vec<_> = (0..terms)
        .map(|nth| {
            let (term, weight) = (OWN + 1 + 2 * nth, OWN + 2 + 2 * nth);
            format!(
                "select * from (select doc, col, ?{weight} as weight from chunk_terms where term = \
                 ?{term} {only} limit ?5)"
            )
        })
        .collect();
    format!(
        "with found as ({}), often as (select doc, weight, case col when 'once' then 1 when \
         'twice' then 2 when 'thrice' then 3 else 5 end as times from found) select doc, \
         sum(weight * times * (?2 + 1) / (times + ?2 * (1 - ?3 + ?3 * words / ?4))) as quality \
         from often cross join chunks indexed by chunk_lengths on key = doc group by doc order by \
         quality desc, doc limit ?6",
        occurrences.join(" union all ")
    )
}

/// The weights of the words.
struct Weights {
    /// The words that the store knows, with their weights, the rarest first.
    known: Vec<(String, f64)>,
    /// The weight of all words together, with which each chunk is compared.
    total: f64,
}

impl Weights {
    fn new(mut counted: Vec<(String, i64)>, chunks: i64) -> Self {
        counted.sort_by(|(one, one_count), (other, other_count)| {
            one_count.cmp(other_count).then_with(|| one.cmp(other))
        });
        // For chunks of files that are not ready yet, only the words count.
        let weight = |count: i64| {
            let count = count.min(chunks) as f64;
            (1.0 + (chunks as f64 - count + 0.5) / (count + 0.5)).ln()
        };
        let words = counted.len();
        let known = counted
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(term, count)| (term, weight(count)));
        let known: Vec<_> = known.collect();
        let all: f64 = known.iter().map(|(_, weight)| weight).sum();
        // A word that the store does not know says little about it: half as much as the most common
        // of the others.
        let least = known.last().map_or(1.0, |(_, weight)| *weight);
        let unknown = (words - known.len()) as f64;
        Self { total: all + unknown * least / 2.0, known }
    }
}
