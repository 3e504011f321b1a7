//! Finds objects by their ids. Requests that come at the same time share one look-up.
//!
//! A look-up costs a turn of the database's thread. Many of them together cost one turn too. No
//! request waits for others: a free finder starts at once with the requests that it has.

use foldhash::HashMap;
use serde_json::{Map, json};
use sqlx::{AssertSqlSafe, Row, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use super::{
    error::{Result, StoreError},
    table::{Stored, parent_exists, rows_of},
};

/// How many are looked up together at most.
const BATCH: usize = 64;

/// A table, and the columns of the parents that a row must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Table {
    pub name: &'static str,
    pub parents: &'static [&'static str],
}

impl Table {
    pub(super) fn of<T: Stored>() -> Self {
        Self { name: T::TABLE, parents: &T::PATH[..T::PATH.len() - 1] }
    }
}

struct BatchQuestion {
    table: Table,
    session: i64,
    /// The ids of the parents, then the object's own.
    ids: Vec<String>,
    answer: oneshot::Sender<Result<Option<String>>>,
}

pub(super) struct BatchLoader {
    questions: mpsc::UnboundedSender<BatchQuestion>,
}

impl BatchLoader {
    /// Starts the finder's task. It ends when the finder is dropped.
    pub(super) fn start(connection: SqliteConnection) -> Self {
        let (questions, asked) = mpsc::unbounded_channel();
        tokio::spawn(work(connection, asked));
        Self { questions }
    }

    /// The body of a row, if it exists and has these parents.
    pub(super) async fn find(
        &self,
        table: Table,
        session: i64,
        ids: Vec<String>,
    ) -> Result<Option<String>> {
        let (answer, answered) = oneshot::channel();
        self.questions
            .send(BatchQuestion { table, session, ids, answer })
            .map_err(|_| StoreError::died())?;
        answered.await.unwrap_or_else(|_| Err(StoreError::died()))
    }
}

async fn work(mut connection: SqliteConnection, mut asked: mpsc::UnboundedReceiver<BatchQuestion>) {
    let mut batch = Vec::with_capacity(BATCH);
    while asked.recv_many(&mut batch, BATCH).await > 0 {
        let mut by_table: HashMap<Table, Vec<BatchQuestion>> = HashMap::default();
        for question in batch.drain(..) {
            by_table.entry(question.table).or_default().push(question);
        }
        for (table, questions) in by_table {
            answer(&mut connection, table, questions).await;
        }
    }
}

async fn answer(connection: &mut SqliteConnection, table: Table, questions: Vec<BatchQuestion>) {
    if let Ok(mut bodies) = look_up(connection, table, &questions).await {
        for (number, question) in questions.into_iter().enumerate() {
            _ = question.answer.send(Ok(bodies.remove(&number)));
        }
        return;
    }
    // One by one, so that each gets the error of its own look-up.
    for question in questions {
        let found = look_up(connection, table, std::slice::from_ref(&question)).await;
        let body = found.map(|mut bodies| bodies.remove(&0)).map_err(StoreError::from);
        _ = question.answer.send(body);
    }
}

/// The bodies that exist, by the number of the question.
async fn look_up(
    connection: &mut SqliteConnection,
    table: Table,
    questions: &[BatchQuestion],
) -> Result<HashMap<usize, String>, sqlx::Error> {
    let columns = || table.parents.iter().chain(&["id"]).copied();
    let name = table.name;
    // The names in a condition are those of the API; `key` and `value` are of `jsonb_each`.
    let conditions: String =
        columns().map(|column| format!(" and {name}.{column} = value ->> '$.{column}'")).collect();
    let in_parent = match table.parents.first() {
        Some(parent) => format!(" and {}", parent_exists(name, parent)),
        None => String::new(),
    };
    let sql = format!(
        "select asked.key, body from jsonb_each(?) as asked cross join {name} where session = value \
         ->> '$.session'{conditions}{in_parent}",
    );
    let rows: Vec<_> = questions
        .iter()
        .map(|question| {
            let ids = columns().zip(&question.ids).map(|(column, id)| (column, json!(id)));
            let session = ("session", json!(question.session));
            ids.chain([session]).map(|(key, id)| (key.to_owned(), id)).collect::<Map<_, _>>()
        })
        .collect();
    let asked = serde_json::to_string(&rows).expect("ids are JSON");
    let found = rows_of(sqlx::query(AssertSqlSafe(sql)).bind(asked), connection).await?;
    found
        .into_iter()
        .map(|row| {
            let number: i64 = row.try_get(0)?;
            Ok((usize::try_from(number).unwrap_or(usize::MAX), row.try_get(1)?))
        })
        .collect()
}
