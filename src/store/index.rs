//! The index of words: which chunks of a store have which words, and how well they answer.
//!
//! The words of all stores are in one FTS5 table, each marked with the number of its store, and what ranks them
//! is BM25 over the numbers of that store alone. FTS5's own `bm25()` would count the chunks of all stores, of
//! other sessions even, so that the same search would not give the same scores. Words are taken from the
//! rarest on until there are enough chunks to choose from, so a search costs much the same in a large store.

use serde_json::json;
use sqlx::Row;

use super::{Result, Store, parse};
use crate::types::{File, Id, StoreFile, VectorStore};

/// How many occurrences of words a search looks at, rarest words first.
const OCCURRENCES: i64 = 5_000;
/// How many chunks a search brings up at the most.
const CANDIDATES: i64 = 2_000;

/// How soon more of the same word counts for less, and how much the length of a chunk matters: the values
/// that FTS5's `bm25()` has too.
const K1: f64 = 1.2;
const B: f64 = 0.75;

/// A word that is searched for.
#[derive(Clone, Debug)]
pub struct Term(pub String);

/// A chunk that was found.
#[derive(Clone, Debug)]
pub struct Found {
    pub key: i64,
    /// How well it answers: about 1 if all words that the store knows are there once.
    pub quality: f64,
}

/// A chunk with all that is shown of it.
#[derive(Debug)]
pub struct Passage {
    pub file: StoreFile,
    pub filename: String,
    pub text: String,
}

/// The mark of a store on its words.
pub(crate) fn marked(store: i64, word: &str) -> String {
    format!("{store}q{word}")
}

impl Store {
    /// The chunks of a store that have some of these words, best first; among equals, the first file's first.
    pub async fn search_words(&self, store: &Id<VectorStore>, terms: &[Term]) -> Result<Vec<Found>> {
        let mut reader = self.database.reader().await?;
        let sql = "select seq, chunks, words from vector_stores where session = ? and id = ?";
        let query = sqlx::query_as(sql).bind(self.session).bind(store.as_str());
        let Some((number, chunks, words)): Option<(i64, i64, i64)> = query.fetch_optional(&mut *reader).await? else {
            return Ok(Vec::new());
        };
        if chunks == 0 || terms.is_empty() {
            return Ok(Vec::new());
        }
        let marked: Vec<_> = terms.iter().map(|Term(word)| marked(number, word)).collect();
        let sql = "select asked.value, coalesce((select doc from chunk_term_counts where term = asked.value), 0) \
                   from json_each(?) as asked";
        let counted: Vec<(String, i64)> = sqlx::query_as(sql).bind(json!(marked).to_string()).fetch_all(&mut *reader).await?;
        let weights = Weights::of(counted, chunks as f64);
        let sql = "select doc, sum(weight * times * (?2 + 1) / (times + ?2 * (1 - ?3 + ?3 * words / ?4))) as quality from ( \
                     select doc, asked.value ->> 1 as weight, case col when 'once' then 1 when 'twice' then 2 when 'thrice' then 3 \
                       else 5 end as times \
                     from json_each(?1) as asked cross join chunk_terms on term = asked.value ->> 0) \
                   cross join chunks on key = doc group by doc order by quality desc, doc limit ?5";
        let query = sqlx::query(sql).bind(json!(weights.rarest).to_string()).bind(K1).bind(B);
        let query = query.bind((words as f64 / chunks as f64).max(1.0)).bind(CANDIDATES);
        let rows = query.fetch_all(&mut *reader).await?;
        let found = rows.iter().map(|row| {
            let quality: f64 = row.try_get(1)?;
            Ok(Found { key: row.try_get(0)?, quality: quality / weights.total })
        });
        found.collect()
    }

    /// Chunks with all that is shown of them, in the order of the keys; those whose file is not ready, or gone,
    /// are left out.
    pub async fn passages(&self, keys: &[i64]) -> Result<Vec<Option<Passage>>> {
        let sql = "select asked.key, file.body, chunks.text, files.filename from json_each(?) as asked \
                   cross join chunks on chunks.key = asked.value \
                   cross join vector_store_files as file on file.seq = chunks.key >> 20 and file.status = 'completed' \
                   cross join files on files.session = file.session and files.id = file.id";
        let rows = sqlx::query(sql).bind(json!(keys).to_string()).fetch_all(&mut *self.database.reader().await?).await?;
        let mut passages: Vec<Option<Passage>> = keys.iter().map(|_| None).collect();
        for row in rows {
            let number: i64 = row.try_get(0)?;
            let passage = Passage { file: parse(row.try_get(1)?)?, text: row.try_get(2)?, filename: row.try_get(3)? };
            if let Some(place) = usize::try_from(number).ok().and_then(|number| passages.get_mut(number)) {
                *place = Some(passage);
            }
        }
        Ok(passages)
    }

    /// The whole text of a file in a store, put together from its chunks, which overlap.
    pub async fn text_of(&self, file: &StoreFile) -> Result<String> {
        let Some(place) = self.place_of_file(file).await? else { return Ok(String::new()) };
        let sql = "select start, text from chunks where key >= ?1 << 20 and key < (?1 + 1) << 20 order by key";
        let chunks: Vec<(i64, String)> =
            sqlx::query_as(sql).bind(place.file).fetch_all(&mut *self.database.reader().await?).await?;
        let mut whole = String::new();
        for (start, text) in chunks {
            let known = whole.len().saturating_sub(usize::try_from(start).unwrap_or_default());
            whole.push_str(text.get(known..).unwrap_or_default());
        }
        Ok(whole)
    }

    /// The files by their ids: none where there is no such file.
    pub async fn find_files(&self, ids: &[String]) -> Result<Vec<Option<File>>> {
        let sql = "select asked.key, body from json_each(?) as asked cross join files on session = ? and files.id = asked.value";
        let query = sqlx::query(sql).bind(json!(ids).to_string()).bind(self.session);
        let mut found: Vec<Option<File>> = ids.iter().map(|_| None).collect();
        for row in query.fetch_all(&mut *self.database.reader().await?).await? {
            let number: i64 = row.try_get(0)?;
            if let Some(place) = usize::try_from(number).ok().and_then(|number| found.get_mut(number)) {
                *place = Some(parse(row.try_get(1)?)?);
            }
        }
        Ok(found)
    }
}

/// What each word weighs.
struct Weights {
    /// The rarest words that the store knows, with their weights.
    rarest: Vec<(String, f64)>,
    /// The weight of all words together: what a chunk is measured by.
    total: f64,
}

impl Weights {
    fn of(mut counted: Vec<(String, i64)>, chunks: f64) -> Self {
        counted.sort_by(|(one, one_count), (other, other_count)| one_count.cmp(other_count).then_with(|| one.cmp(other)));
        let weight = |count: i64| (1.0 + (chunks - count as f64 + 0.5) / (count as f64 + 0.5)).ln();
        let known: Vec<_> = counted.iter().filter(|(_, count)| *count > 0).collect();
        let all: f64 = known.iter().map(|(_, count)| weight(*count)).sum();
        // A word that the store does not know says little about it: half as much as the commonest of the others.
        let least = known.last().map_or(1.0, |(_, count)| weight(*count));
        let unknown = (counted.len() - known.len()) as f64;
        let mut seen = 0;
        let rarest = known
            .into_iter()
            .take_while(|(_, count)| {
                let first = seen == 0;
                seen += count;
                first || seen <= OCCURRENCES
            })
            .map(|(term, count)| (term.clone(), weight(*count)));
        Self { rarest: rarest.collect(), total: all + unknown * least / 2.0 }
    }
}
