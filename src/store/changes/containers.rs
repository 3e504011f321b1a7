//! Changes of the contents of containers.

use std::borrow::Cow;

use serde::Serialize;

use super::kind::ChangeKind;
use crate::types::{Container, Id};

/// Inserts a file into a container, as long as the container runs. Its content is in a blob.
#[derive(Serialize)]
pub(super) struct InsertContainerFile {
    pub body: String,
    pub blob: String,
    pub container_id: Id<Container>,
}

impl ChangeKind for InsertContainerFile {
    const MUST_CHANGE: bool = true;

    fn sql() -> Cow<'static, str> {
        "insert into container_files (session, body, blob) select value ->> '$.session', value ->> \
         '$.body', value ->> '$.blob' from jsonb_each(?) where exists (select 1 from containers \
         where session = value ->> '$.session' and id = value ->> '$.container_id' and status = \
         'running')"
            .into()
    }

    fn touches(&self) -> Vec<&str> {
        vec![self.container_id.as_str()]
    }
}

/// Deletes all files of a container.
#[derive(Serialize)]
pub(super) struct EmptyContainer;

impl ChangeKind for EmptyContainer {
    const IS_WIDE: bool = true;

    fn sql() -> Cow<'static, str> {
        "delete from container_files where seq in (select it.seq from jsonb_each(?) cross join \
         container_files as it where it.session = value ->> '$.session' and it.container_id = \
         value ->> '$.id')"
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::container::ContainerStatus;

    #[test]
    fn a_running_container_is_the_same_in_sql_and_in_types() {
        let name = format!("status = '{}'", ContainerStatus::Running.name());
        let migration = include_str!("../../../migrations/0008_containers.sql");
        assert!(migration.contains(&name) && InsertContainerFile::sql().contains(&name));
    }
}
