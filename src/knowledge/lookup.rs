//! Searches in vector stores: equal questions to equal files give equal results.

use std::collections::HashMap;

use super::{Knowledge, KnowledgeError, Result, ingest::Look};
use crate::{
    search::words::Words,
    store::Term,
    types::{Id, VectorStore, search::Filter, store_file::Attributes},
};

/// The minimum number of passages in one fetch.
const STRIDE: usize = 16;

/// A question to vector stores.
#[derive(Clone, Debug)]
pub struct SearchQuestion<'q> {
    pub queries: &'q [String],
    pub filter: Option<&'q Filter>,
    pub score_threshold: f64,
    /// `skip` best results are left out; at most `most` results follow.
    pub skip: usize,
    pub most: usize,
}

/// A passage that matches.
#[derive(Clone, Debug)]
pub struct Hit {
    /// The vector store in which it was found.
    pub store: String,
    pub file_id: String,
    pub filename: String,
    /// Between zero and one.
    pub score: f64,
    pub attributes: Attributes,
    pub text: String,
}

/// A chunk that matches, before its text is loaded.
struct Ranked {
    score: f64,
    store: usize,
    key: i64,
}

impl Knowledge {
    /// The best passages, and whether there are more. It waits until files in processing are ready,
    /// so that the result does not depend on their speed.
    pub async fn search(
        &self,
        stores: &[String],
        question: &SearchQuestion<'_>,
    ) -> Result<(Vec<Hit>, bool)> {
        for id in stores {
            let store = self.store.find::<VectorStore>(&Id::new(id.as_str())).await?;
            if store.ok_or_else(|| KnowledgeError::NoStores(vec![id.clone()]))?.is_expired() {
                return Err(KnowledgeError::Expired(id.clone()));
            }
        }
        self.ingest.settle(stores).await;
        let ranked = self.rank(stores, question).await?;
        let (mut hits, mut left_out) = (Vec::new(), 0);
        for group in ranked.chunks(STRIDE.max(question.most + 1)) {
            let keys: Vec<i64> = group.iter().map(|ranked| ranked.key).collect();
            for (ranked, passage) in group.iter().zip(self.store.passages(&keys).await?) {
                let Some(passage) = passage else { continue };
                if left_out < question.skip {
                    left_out += 1;
                    continue;
                }
                if hits.len() == question.most {
                    return Ok((hits, true));
                }
                hits.push(Hit {
                    store: stores[ranked.store].clone(),
                    file_id: passage.file.id.to_string(),
                    filename: passage.filename,
                    score: ranked.score,
                    attributes: passage.file.attributes,
                    text: passage.text,
                });
            }
        }
        Ok((hits, false))
    }

    /// All chunks that match, best first. Equal ones are in the order of stores and files.
    async fn rank(&self, stores: &[String], question: &SearchQuestion<'_>) -> Result<Vec<Ranked>> {
        let words = Words::default();
        let mut ranked = Vec::new();
        for (store, id) in stores.iter().enumerate() {
            let (id, mut best) = (Id::new(id.as_str()), HashMap::<i64, f64>::new());
            let files = match question.filter {
                Some(filter) => Some(self.admitted(&id, filter).await?),
                None => None,
            };
            for query in question.queries {
                let terms: Vec<Term> = words.sought(query).into_iter().map(Term).collect();
                for found in self.store.search_words(&id, &terms, files.as_deref()).await? {
                    let score = best.entry(found.key).or_default();
                    *score = score.max(score_of(found.quality));
                }
            }
            ranked.extend(best.into_iter().map(|(key, score)| Ranked { score, store, key }));
        }
        ranked.retain(|ranked| ranked.score >= question.score_threshold);
        ranked.sort_by(|one, other| {
            other
                .score
                .total_cmp(&one.score)
                .then_with(|| (one.store, one.key).cmp(&(other.store, other.key)))
        });
        Ok(ranked)
    }

    /// The numbers of the files in a store that a filter admits.
    async fn admitted(&self, store: &Id<VectorStore>, filter: &Filter) -> Result<Vec<i64>> {
        let files = self.store.attributes_of(store).await?;
        Ok(files
            .into_iter()
            .filter(|(_, attributes)| filter.admits(attributes))
            .map(|(number, _)| number)
            .collect())
    }

    /// Whether all files of these stores are ready.
    pub fn is_settled(&self, stores: &[String]) -> bool {
        self.ingest.is_settled(stores)
    }

    /// Waits until all files of these stores are ready.
    pub async fn settle(&self, stores: &[String]) {
        self.ingest.settle(stores).await;
    }

    /// Waits until all files of all stores are ready.
    pub async fn settle_all(&self) {
        self.ingest.settle_all().await;
    }

    /// Notes that a client polls a store: under the pace `steps`, one of its files becomes ready.
    pub async fn poll_store(&self, store: &str) {
        self.ingest.poll(Look::Store(store)).await;
    }

    pub async fn poll_file(&self, store: &str, file: &str) {
        self.ingest.poll(Look::File { store, file }).await;
    }

    pub async fn poll_batch(&self, batch: &str) {
        self.ingest.poll(Look::Batch(batch)).await;
    }
}

/// From zero to one. A passage that has each word once scores about 0.7, as good passages in the
/// recordings do.
fn score_of(quality: f64) -> f64 {
    const HALF: f64 = 0.4;
    quality / (quality + HALF)
}
