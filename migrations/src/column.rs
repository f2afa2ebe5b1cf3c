//! The few kinds of column that tables are made of, and keys that carry the organisation.

use sea_orm_migration::prelude::{ColumnDef, ForeignKey, ForeignKeyAction, ForeignKeyCreateStatement, Index, Table};
use sea_orm_migration::prelude::{IndexCreateStatement, TableCreateStatement};
use sea_orm_migration::sea_orm::DbBackend;

/// Builds columns for one database.
#[derive(Clone, Copy)]
pub(crate) struct Columns(pub(crate) DbBackend);

impl Columns {
    /// Starts a table that belongs to an organisation: `organisation_id`, and the row leaves with its organisation.
    pub(crate) fn owned_table(self, name: &'static str) -> TableCreateStatement {
        Table::create()
            .table(name)
            .col(self.uuid("organisation_id"))
            .foreign_key(
                ForeignKey::create()
                    .name(format!("{name}_organisation"))
                    .from(name, "organisation_id")
                    .to("organisation", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .take()
    }

    /// Starts a table whose rows belong to exchanges: they leave with their exchange, and with it the organisation.
    ///
    /// The organisation is not referenced once more: every insert would lock its row in share mode, and all issuances of
    /// an organisation would meet there.
    pub(crate) fn exchange_table(self, name: &'static str) -> TableCreateStatement {
        Table::create()
            .table(name)
            .col(self.uuid("organisation_id"))
            .col(self.uuid("exchange_id"))
            .foreign_key(&mut reference(name, &["exchange_id"], "exchange", &["id"], ForeignKeyAction::Cascade))
            .take()
    }

    /// A UUID: 16 bytes on SQLite.
    pub(crate) fn uuid(self, name: &'static str) -> ColumnDef {
        let mut column = self.uuid_or_null(name);
        column.not_null();
        column
    }

    pub(crate) fn uuid_or_null(self, name: &'static str) -> ColumnDef {
        let mut column = ColumnDef::new(name);
        if self.0 == DbBackend::Postgres {
            column.uuid();
        } else {
            column.blob();
        }
        column
    }
}

pub(crate) fn text(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).text().not_null().take()
}

pub(crate) fn text_or_null(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).text().take()
}

/// A whole number, or an instant in Unix milliseconds.
pub(crate) fn number(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().take()
}

pub(crate) fn number_or_null(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().take()
}

pub(crate) fn flag(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).boolean().not_null().take()
}

pub(crate) fn bytes(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).blob().not_null().take()
}

pub(crate) fn bytes_or_null(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).blob().take()
}

pub(crate) fn primary_key(columns: &[&'static str]) -> IndexCreateStatement {
    let mut key = Index::create();
    for column in columns {
        key.col(*column);
    }
    key.primary().take()
}

/// `UNIQUE (columns)`; the index is named after table and last column.
pub(crate) fn unique(table: &'static str, columns: &[&'static str]) -> IndexCreateStatement {
    index(table, columns).unique().take()
}

/// An index named after table and last column.
pub(crate) fn index(table: &'static str, columns: &[&'static str]) -> IndexCreateStatement {
    let mut index = Index::create();
    index.table(table).name(format!("{table}_by_{}", columns.last().copied().unwrap_or_default()));
    for column in columns {
        index.col(*column);
    }
    index
}

/// `FOREIGN KEY (organisation_id, columns) REFERENCES target (organisation_id, target_columns)`.
pub(crate) fn reference(
    table: &'static str,
    columns: &[&'static str],
    target: &'static str,
    target_columns: &[&'static str],
    on_delete: ForeignKeyAction,
) -> ForeignKeyCreateStatement {
    let mut key = ForeignKey::create();
    key.name(format!("{table}_{}", columns.first().copied().unwrap_or_default()));
    key.from_tbl(table).from_col("organisation_id").to_tbl(target).to_col("organisation_id").on_delete(on_delete);
    for column in columns {
        key.from_col(*column);
    }
    for column in target_columns {
        key.to_col(*column);
    }
    key
}
