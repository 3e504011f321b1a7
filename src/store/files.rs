//! The queries for files, uploads and vector stores only: where contents are, which files need
//! preparation, and what has expired.

use std::{collections::HashSet, io::Read, sync::Arc};

use sqlx::Row;

use super::{
    Changes, Database, FilePlace, Result, Store, blobs::Blobs, database::NOBODY, table::parse,
};
use crate::event_bus::EventBus;
use crate::types::{
    Container, ContainerFile, File, Id, StoreFile, Timestamp, Upload, VectorStore,
    upload::UploadStatus,
};

/// A file of a store that still needs preparation.
#[derive(Debug)]
pub struct UnfinishedFile {
    pub file: StoreFile,
    pub batch: Option<String>,
}

/// The objects that have expired.
#[derive(Debug)]
pub struct Due {
    pub files: Vec<Id<File>>,
    pub uploads: Vec<Id<Upload>>,
    pub vector_stores: Vec<Id<VectorStore>>,
    pub containers: Vec<Id<Container>>,
}

impl Store {
    pub fn blobs(&self) -> &Blobs {
        self.database.blobs()
    }

    /// The blob of a file.
    pub async fn blob_of(&self, file: &Id<File>) -> Result<Option<String>> {
        let query = sqlx::query_scalar("select blob from files where session = ? and id = ?");
        let query = query.bind(self.session).bind(file.as_str());
        Ok(query.fetch_optional(&mut *self.database.reader().await?).await?)
    }

    /// The blob of a file in a container.
    pub async fn blob_in_container(
        &self,
        (container, file): &(Id<Container>, Id<ContainerFile>),
    ) -> Result<Option<String>> {
        let sql =
            "select blob from container_files where session = ? and container_id = ? and id = ?";
        let query = sqlx::query_scalar(sql).bind(self.session);
        let query = query.bind(container.as_str()).bind(file.as_str());
        Ok(query.fetch_optional(&mut *self.database.reader().await?).await?)
    }

    /// The content of a file; `None` if it is gone.
    pub async fn content_of(&self, file: &Id<File>) -> Result<Option<Vec<u8>>> {
        let Some(blob) = self.blob_of(file).await? else { return Ok(None) };
        let store = self.clone();
        let read = tokio::task::spawn_blocking(move || {
            let mut content = Vec::new();
            store.blobs().open(&blob)?.read_to_end(&mut content)?;
            Ok::<_, std::io::Error>(content)
        });
        // The deletion of a file removes its content first.
        Ok(read.await.ok().and_then(Result::ok))
    }

    /// The newest file of this name.
    pub async fn file_named(&self, filename: &str) -> Result<Option<File>> {
        let sql =
            "select body from files where session = ? and filename = ? order by seq desc limit 1";
        let query = sqlx::query_scalar::<_, String>(sql).bind(self.session).bind(filename);
        query
            .fetch_optional(&mut *self.database.reader().await?)
            .await?
            .map(|body| parse(&body))
            .transpose()
    }

    /// The parts of an upload: id, blob, bytes.
    pub async fn parts_of(&self, upload: &Id<Upload>) -> Result<Vec<(String, String, i64)>> {
        let sql = "select id, blob, bytes from upload_parts where session = ? and upload_id = ? \
                   order by seq";
        let query = sqlx::query_as(sql).bind(self.session).bind(upload.as_str());
        Ok(query.fetch_all(&mut *self.database.reader().await?).await?)
    }

    /// The place of a store's file, as long as the file waits for its preparation.
    pub async fn place_of_file(&self, file: &StoreFile) -> Result<Option<FilePlace>> {
        let sql = "select file.seq, store.seq, attempt from vector_store_files as file, \
                   vector_stores as store where file.session = ?1 and file.vector_store_id = ?2 \
                   and file.id = ?3 and file.status = 'in_progress' and store.session = ?1 and \
                   store.id = ?2";
        let query = sqlx::query_as(sql)
            .bind(self.session)
            .bind(file.vector_store_id.as_str())
            .bind(file.id.as_str());
        let found: Option<(i64, i64, i64)> =
            query.fetch_optional(&mut *self.database.reader().await?).await?;
        Ok(found.map(|(number, store, attempt)| FilePlace {
            id: file.id.to_string(),
            store_id: file.vector_store_id.to_string(),
            file: number,
            store,
            attempt,
        }))
    }

    /// The files that still need preparation, oldest first.
    pub async fn files_under_way(&self) -> Result<Vec<UnfinishedFile>> {
        let sql = "select body, batch_id from vector_store_files where session = ? and status = \
                   'in_progress' order by seq";
        let rows = sqlx::query(sql)
            .bind(self.session)
            .fetch_all(&mut *self.database.reader().await?)
            .await?;
        let under_way = rows.iter().map(|row| {
            Ok(UnfinishedFile { file: parse(row.try_get(0)?)?, batch: row.try_get(1)? })
        });
        under_way.collect()
    }

    /// Ends an upload with the file that it has become, if it is still pending. `None` if it does
    /// not exist. Otherwise its current state, and whether this call ended it.
    pub async fn complete_upload(
        &self,
        id: &Id<Upload>,
        file: &File,
        blob: &str,
        complete: impl Fn(&mut Upload),
    ) -> Result<Option<(Upload, bool)>> {
        loop {
            let Some(was) = self.find_body::<Upload>(id).await? else {
                return Ok(None);
            };
            let mut upload: Upload = parse(&was)?;
            if upload.status != UploadStatus::Pending {
                return Ok(Some((upload, false)));
            }
            complete(&mut upload);
            let mut changes = Changes::new();
            changes.complete_upload(&upload, &was, file, blob)?;
            if self.write(changes).await? {
                return Ok(Some((upload, true)));
            }
        }
    }

    /// How many bytes the parts of an upload have so far.
    pub async fn bytes_of_parts(&self, upload: &Id<Upload>) -> Result<i64> {
        let sql =
            "select coalesce(sum(bytes), 0) from upload_parts where session = ? and upload_id = ?";
        let query = sqlx::query_scalar(sql).bind(self.session).bind(upload.as_str());
        Ok(query.fetch_one(&mut *self.database.reader().await?).await?)
    }

    /// The objects that have expired by now, but are not marked yet.
    pub async fn due_by(&self, now: Timestamp) -> Result<Due> {
        let mut reader = self.database.reader().await?;
        let mut ids = async |sql| -> Result<Vec<String>> {
            Ok(sqlx::query_scalar(sql)
                .bind(self.session)
                .bind(now.0)
                .fetch_all(&mut *reader)
                .await?)
        };
        let files = ids(
            "select id from files where session = ? and expires_at <= ? and expires_at is not null",
        )
        .await?;
        let uploads = ids(
            "select id from uploads where session = ? and expires_at <= ? and status = 'pending'",
        )
        .await?;
        let stores = ids("select id from vector_stores where session = ? and expires_at <= ? and \
                          expires_at is not null and status <> 'expired'")
        .await?;
        let containers = ids(
            "select id from containers where session = ? and expires_at <= ? and status = 'running'",
        )
        .await?;
        Ok(Due {
            files: files.into_iter().map(Id::new).collect(),
            uploads: uploads.into_iter().map(Id::new).collect(),
            vector_stores: stores.into_iter().map(Id::new).collect(),
            containers: containers.into_iter().map(Id::new).collect(),
        })
    }

    /// The time of the next expiry, if there is one.
    pub async fn next_expiry(&self) -> Result<Option<Timestamp>> {
        let sql = "select min(at) from ( select min(expires_at) as at from files where session = \
                   ?1 and expires_at is not null union all select min(expires_at) from uploads \
                   where session = ?1 and status = 'pending' union all select min(expires_at) from \
                   vector_stores where session = ?1 and expires_at is not null and status <> \
                   'expired' union all select min(expires_at) from containers where session = ?1 \
                   and status = 'running')";
        let next: Option<i64> = sqlx::query_scalar(sql)
            .bind(self.session)
            .fetch_one(&mut *self.database.reader().await?)
            .await?;
        Ok(next.map(Timestamp))
    }

    /// Which of these vector stores do not exist.
    pub async fn missing_stores(&self, ids: &[String]) -> Result<Vec<String>> {
        let mut missing = Vec::new();
        for id in ids {
            if self.find::<VectorStore>(&Id::new(id.as_str())).await?.is_none() {
                missing.push(id.clone());
            }
        }
        Ok(missing)
    }

    /// Frees the space of deleted rows.
    pub async fn bury_the_dead(&self) -> Result<()> {
        self.database.bury_the_dead().await
    }
}

impl Database {
    pub(super) async fn bury_the_dead(self: &Arc<Self>) -> Result<()> {
        let names: Vec<String> = sqlx::query_scalar("select name from dead_blobs")
            .fetch_all(&mut *self.reader().await?)
            .await?;
        if names.is_empty() {
            return Ok(());
        }
        let database = Arc::clone(self);
        let removed = tokio::task::spawn_blocking(move || {
            let gone = |name: &String| match database.blobs().remove(name) {
                Ok(()) => true,
                Err(error) => {
                    tracing::warn!(%error, "cannot remove the content of a deleted file now");
                    false
                }
            };
            names.into_iter().filter(gone).collect::<Vec<_>>()
        });
        let mut changes = Changes::new();
        for name in removed.await.unwrap_or_default() {
            changes.bury(&name);
        }
        self.writer().write(NOBODY, &EventBus::default(), changes).await?;
        Ok(())
    }

    /// Makes disk and database agree after a start. If one of them lost data in a crash, the other
    /// loses it too.
    pub(super) async fn sweep(self: &Arc<Self>) -> Result<()> {
        self.bury_the_dead().await?;
        let sql = "select blob from files union all select blob from upload_parts union all select blob \
                   from container_files";
        let named: HashSet<String> = sqlx::query_scalar(sql)
            .fetch_all(&mut *self.reader().await?)
            .await?
            .into_iter()
            .collect();
        if let Err(error) = self.blobs().sweep(&named) {
            tracing::warn!(%error, "cannot remove unused contents");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::types::vector_store::VectorStoreStatus;

    #[test]
    fn an_expired_store_is_the_same_in_sql_and_in_types() {
        let name = serde_json::to_value(VectorStoreStatus::Expired).expect("a word");
        assert!(
            include_str!("../../migrations/0002_files.sql")
                .contains(&format!("status <> '{}'", name.as_str().expect("a word")))
        );
    }
}
