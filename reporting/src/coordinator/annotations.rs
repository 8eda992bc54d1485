//! What people say of runs: saved, and shown by all pages.

use greylag_infra::RunId;

use super::Coordinator;
use crate::store::{AnnotationChange, StoreError};

impl Coordinator {
    /// Changes what people say of a run.
    ///
    /// # Errors
    /// The run was not found, or the store failed.
    pub async fn annotate(&self, id: &RunId, change: AnnotationChange) -> Result<(), StoreError> {
        self.store().annotate(id, change).await?;
        self.changed();
        Ok(())
    }

    /// Adds a note at a moment of a run; its number.
    ///
    /// # Errors
    /// The run was not found, it has too many of them, or the store failed.
    pub async fn add_run_mark(
        &self,
        id: &RunId,
        second: u32,
        text: String,
    ) -> Result<u32, StoreError> {
        let number = self.store().add_run_mark(id, second, text).await?;
        self.changed();
        Ok(number)
    }

    /// Deletes a note at a moment of a run; false if there is none with this number.
    ///
    /// # Errors
    /// The run was not found, or the store failed.
    pub async fn delete_run_mark(&self, id: &RunId, number: u32) -> Result<bool, StoreError> {
        let deleted = self.store().delete_run_mark(id, number).await?;
        self.changed();
        Ok(deleted)
    }
}
