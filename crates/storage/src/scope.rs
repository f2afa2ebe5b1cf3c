//! The one place where queries are made: each of them is about one organisation.

use chancery_model::{OrganisationId, Timestamp};
use sea_orm::sea_query::{
    Asterisk, CaseStatement, CommonTableExpression, DynIden, Expr, ExprTrait, Func, InsertStatement, IntoCondition,
    IntoIden, IntoTableRef, OnConflict, Query, SelectStatement, SubQueryStatement, TableRef, UpdateStatement,
    ValueTuple, WithQuery,
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, DbErr, DeleteMany, EntityTrait, FromQueryResult,
    IdenStatic, Insert, Iterable, PrimaryKeyToColumn, QueryFilter, QueryResult, QueryTrait, Select, Statement,
    StatementBuilder, UpdateMany, Value,
};

use crate::connection::Connection;
use crate::entity::Owned;
use crate::error::is_unique_violation;

const COUNT: &str = "count";

/// A connection together with the organisation it may see.
pub(crate) struct Scope {
    connection: Connection,
    organisation: OrganisationId,
}

impl Scope {
    pub(crate) fn new(connection: Connection, organisation: OrganisationId) -> Self {
        Self { connection, organisation }
    }

    pub(crate) fn organisation(&self) -> OrganisationId {
        self.organisation
    }

    /// For executing what the methods below have made.
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(crate) fn into_connection(self) -> Connection {
        self.connection
    }

    /// `SELECT` of the organisation's rows.
    pub(crate) fn find<E: Owned>(&self) -> Select<E> {
        E::find().filter(self.is_ours::<E>())
    }

    /// `UPDATE` of the organisation's rows.
    pub(crate) fn update<E: Owned>(&self) -> UpdateMany<E> {
        E::update_many().filter(self.is_ours::<E>())
    }

    /// `DELETE` of the organisation's rows.
    pub(crate) fn delete<E: Owned>(&self) -> DeleteMany<E> {
        E::delete_many().filter(self.is_ours::<E>())
    }

    /// Inserts a row as the organisation's, whatever the model says.
    pub(crate) async fn insert<E: Owned>(&self, row: E::ActiveModel) -> Result<(), DbErr>
    where
        E::ActiveModel: Send,
    {
        Insert::one(self.ours::<E>(row)).exec_without_returning(&self.connection).await.map(drop)
    }

    /// Inserts a row as the organisation's while `needed` finds something; whether it did.
    pub(crate) async fn insert_where_exists<E: Owned, N: EntityTrait>(
        &self,
        row: E::ActiveModel,
        needed: Select<N>,
    ) -> Result<bool, DbErr> {
        let insert = self.rows::<E>([row]).insert_if(needed.into_query())?;
        Ok(self.connection.execute(&insert).await?.rows_affected() == 1)
    }

    /// Inserts rows with one statement; none at all when there are none. Callers stay below the 32 766 values that
    /// SQLite binds.
    pub(crate) async fn insert_all<E: Owned>(&self, rows: Vec<E::ActiveModel>) -> Result<(), DbErr>
    where
        E::ActiveModel: Send,
    {
        if rows.is_empty() {
            return Ok(());
        }
        let rows = rows.into_iter().map(|row| self.ours::<E>(row));
        Insert::many(rows).exec_without_returning(&self.connection).await.map(drop)
    }

    /// Inserts a row or, where `on_conflict` says so, updates the one in its way; how many rows changed.
    pub(crate) async fn insert_or<E: Owned>(&self, row: E::ActiveModel, on_conflict: OnConflict) -> Result<u64, DbErr>
    where
        E::ActiveModel: Send,
    {
        let mut statement = Insert::one(self.ours::<E>(row)).into_query();
        statement.on_conflict(on_conflict);
        Ok(self.connection.execute(&statement).await?.rows_affected())
    }

    /// Inserts rows with one statement and, where `on_conflict` says so, updates those in their way; how many rows
    /// changed.
    pub(crate) async fn insert_all_or<E: Owned>(
        &self,
        rows: Vec<E::ActiveModel>,
        on_conflict: OnConflict,
    ) -> Result<u64, DbErr>
    where
        E::ActiveModel: Send,
    {
        if rows.is_empty() {
            return Ok(0);
        }
        let rows = rows.into_iter().map(|row| self.ours::<E>(row));
        let mut statement = Insert::many(rows).into_query();
        statement.on_conflict(on_conflict);
        Ok(self.connection.execute(&statement).await?.rows_affected())
    }

    /// Whether the conditional `update` changed a row.
    pub(crate) async fn happened<E: Owned>(&self, update: UpdateMany<E>) -> Result<bool, DbErr> {
        Ok(update.exec(&self.connection).await?.rows_affected == 1)
    }

    /// Runs the conditional `update` and, when it changed a row, inserts `rows` into their tables; whether it did. On
    /// PostgreSQL that is one statement, so one round trip: the rows refer to nothing that has to be looked up first.
    pub(crate) async fn happened_with<E: Owned>(
        &self,
        update: UpdateMany<E>,
        rows: impl IntoIterator<Item = Rows>,
    ) -> Result<bool, DbErr> {
        if self.connection.get_database_backend() != DbBackend::Postgres {
            let happened = self.happened(update).await?;
            for rows in rows.into_iter().filter(|_| happened) {
                self.insert_rows(rows).await?;
            }
            return Ok(happened);
        }
        const CHANGED: &str = "changed";
        let mut update = update.into_query();
        update.returning(Query::returning().column(E::ORGANISATION));
        let mut whole = WithQuery::new();
        whole.cte(part(update, CHANGED.to_owned()));
        let changed = || Query::select().expr(Expr::val(1)).from(CHANGED).to_owned();
        let mut first = None;
        for (number, rows) in (1..).zip(rows) {
            first = first.or_else(|| self.connection.is_alone().then(|| rows.count_of_first()));
            whole.cte(part(rows.insert_if(changed())?, format!("inserted_{number}")));
        }
        let changed = Query::select().expr_as(Func::count(Expr::col(Asterisk)), COUNT).from(CHANGED).to_owned();
        whole.query(self.naming(changed));
        match self.count(&whole).await {
            // A step that is run again finds what it did the first time: nobody else has rows with its identifiers.
            Err(error) if self.connection.is_repeated() && is_unique_violation(&error) => Ok(true),
            Ok(0) if self.connection.is_repeated() => match first {
                Some(first) => Ok(self.count(&self.naming(first)).await? == 1),
                None => Ok(false),
            },
            counted => Ok(counted? == 1),
        }
    }

    /// Runs statements in this order, on PostgreSQL as one; the rows that the last one returns.
    pub(crate) async fn together(
        &self,
        earlier: Vec<Earlier>,
        last: UpdateStatement,
    ) -> Result<Vec<QueryResult>, DbErr> {
        // What more of them bind is more than one statement may.
        const MOST: usize = 4;
        if self.connection.get_database_backend() == DbBackend::Postgres && (1..=MOST).contains(&earlier.len()) {
            let mut whole = WithQuery::new();
            for (number, statement) in (1..).zip(earlier) {
                whole.cte(part(statement, format!("earlier_{number}")));
            }
            whole.query(last);
            return self.connection.query_all(&whole).await;
        }
        for statement in earlier {
            match statement {
                Earlier::Update(update) => self.connection.execute(&update).await?,
                Earlier::Insert(insert) => self.connection.execute(&insert).await?,
            };
        }
        self.connection.query_all(&last).await
    }

    /// A statement that stands alone names its organisation to row-level security before it comes to what it counts, and so
    /// before anything is done.
    fn naming(&self, count: SelectStatement) -> SelectStatement {
        const NAMED: &str = "CASE set_config('app.organisation', $1, true) WHEN '' THEN 0 ELSE $2 END";
        if !self.connection.is_alone() {
            return count;
        }
        let counted = Expr::SubQuery(None, Box::new(count.into()));
        let named = Expr::cust_with_exprs(NAMED, [Expr::val(self.organisation.to_string()), counted]);
        Query::select().expr_as(named, COUNT).to_owned()
    }

    async fn count(&self, statement: &impl StatementBuilder) -> Result<i64, DbErr> {
        let row = self.connection.query_one(statement).await?;
        row.map_or(Ok(0), |row| row.try_get("", COUNT))
    }

    /// Lets a row refer to one that comes later in the unit of work. PostgreSQL looks at the end of a statement, SQLite is
    /// told to look at the end of the transaction.
    pub(crate) async fn defer_references(&self) -> Result<(), DbErr> {
        if self.connection.get_database_backend() == DbBackend::Sqlite {
            self.connection.execute_unprepared("PRAGMA defer_foreign_keys = ON").await?;
        }
        Ok(())
    }

    /// Inserts rows that were made by [`Scope::rows`].
    pub(crate) async fn insert_rows(&self, rows: Rows) -> Result<(), DbErr> {
        self.connection.execute(&rows.insert()?).await.map(drop)
    }

    /// Rows for a table, as the organisation's; at least one. Callers stay below the 32 766 values that SQLite binds.
    pub(crate) fn rows<E: Owned>(&self, rows: impl IntoIterator<Item = E::ActiveModel>) -> Rows {
        let rows: Vec<E::ActiveModel> = rows.into_iter().map(|row| self.ours::<E>(row)).collect();
        let first = rows.first();
        let columns = first.into_iter().flat_map(values_of::<E>).map(|(column, _)| column.into_iden()).collect();
        let key_columns = E::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column);
        let value = |column: E::Column| first?.get(column).into_value();
        let key = key_columns.filter_map(|column| Some((column.into_iden(), value(column)?))).collect();
        let values = rows.iter().map(|row| values_of::<E>(row).map(|(_, value)| value).collect()).collect();
        Rows { table: E::default().into_table_ref(), columns, values, key }
    }

    /// Runs the conditional `update` and returns the row as it is afterwards; `None` when it changed none.
    pub(crate) async fn updated<E: Owned>(&self, update: UpdateMany<E>) -> Result<Option<E::Model>, DbErr> {
        let mut statement = update.into_query();
        statement.returning(Query::returning().columns(E::Column::iter()));
        let row = self.connection.query_one(&statement).await?;
        row.map(|row| E::Model::from_query_result(&row, "")).transpose()
    }

    fn is_ours<E: Owned>(&self) -> impl IntoCondition + use<E> {
        E::ORGANISATION.eq(self.organisation.as_uuid())
    }

    fn ours<E: Owned>(&self, mut row: E::ActiveModel) -> E::ActiveModel {
        row.set(E::ORGANISATION, self.organisation.as_uuid().into());
        row
    }
}

/// One of several statements in one.
fn part(query: impl Into<SubQueryStatement>, name: String) -> CommonTableExpression {
    let mut part = CommonTableExpression::new();
    part.query(query).table_name(name);
    part
}

/// A statement that comes before another one.
pub(crate) enum Earlier {
    Update(UpdateStatement),
    Insert(InsertStatement),
}

impl From<Earlier> for SubQueryStatement {
    fn from(statement: Earlier) -> Self {
        match statement {
            Earlier::Update(update) => update.into(),
            Earlier::Insert(insert) => insert.into(),
        }
    }
}

/// Rows of one organisation for one table, which all set the same columns.
pub(crate) struct Rows {
    table: TableRef,
    columns: Vec<DynIden>,
    values: Vec<Vec<Value>>,
    /// What tells the first from all other rows.
    key: Vec<(DynIden, Value)>,
}

impl Rows {
    /// How many rows there are like the first: one or none.
    fn count_of_first(&self) -> SelectStatement {
        let mut count = Query::select();
        count.expr_as(Func::count(Expr::col(Asterisk)), COUNT).from(self.table.clone());
        for (column, value) in &self.key {
            count.and_where(Expr::col(column.clone()).eq(value.clone()));
        }
        count
    }

    pub(crate) fn insert(self) -> Result<InsertStatement, DbErr> {
        let mut insert = Query::insert();
        insert.into_table(self.table).columns(self.columns);
        for values in self.values {
            insert.values(values.into_iter().map(Expr::val)).map_err(wrong_number)?;
        }
        Ok(insert)
    }

    /// The rows, if `condition` finds something.
    fn insert_if(self, condition: SelectStatement) -> Result<InsertStatement, DbErr> {
        let mut values = Query::select();
        // As both databases call the columns of a list of values.
        values.columns((1..=self.columns.len()).map(|number| format!("column{number}")));
        values.from_values(self.values.into_iter().map(ValueTuple::Many), "rows");
        values.and_where(Expr::exists(condition));
        let mut insert = Query::insert();
        insert.into_table(self.table).columns(self.columns);
        insert.select_from(values).map_err(wrong_number)?;
        Ok(insert)
    }
}

fn wrong_number(error: impl std::fmt::Display) -> DbErr {
    DbErr::Custom(error.to_string())
}

/// The columns that a row sets, and to what.
fn columns_of<E: Owned>(row: &E::ActiveModel) -> impl Iterator<Item = (E::Column, Expr)> {
    values_of::<E>(row).map(|(column, value)| (column, Expr::val(value)))
}

fn values_of<E: Owned>(row: &E::ActiveModel) -> impl Iterator<Item = (E::Column, Value)> {
    E::Column::iter().filter_map(|column| Some((column, row.get(column).into_value()?)))
}

/// An INSERT of a row as the organisation's, for a transaction of its own.
///
/// On PostgreSQL the statement names its organisation to row-level security in the very value of the row, which is computed
/// before the row is checked, and does not wait for the disk. Both settings end with it.
pub(crate) fn alone<E: Owned>(
    backend: DbBackend,
    organisation: OrganisationId,
    row: E::ActiveModel,
    on_conflict: OnConflict,
) -> Result<Statement, DbErr> {
    const NAMED: &str = "CASE set_config('synchronous_commit', 'off', true) WHEN 'off' \
                         THEN CAST(set_config('app.organisation', $1, true) AS uuid) END";
    let is_its_own = |(column, _): &(E::Column, Expr)| column.as_str() != E::ORGANISATION.as_str();
    let (mut columns, mut values): (Vec<E::Column>, Vec<Expr>) = columns_of::<E>(&row).filter(is_its_own).unzip();
    columns.push(E::ORGANISATION);
    values.push(if backend == DbBackend::Postgres {
        Expr::cust_with_values(NAMED, [organisation.to_string()])
    } else {
        Expr::val(organisation.as_uuid())
    });
    let mut insert = Query::insert();
    insert.into_table(E::default()).columns(columns).on_conflict(on_conflict);
    insert.values(values).map_err(wrong_number)?;
    Ok(backend.build(&insert))
}

/// `now`, or the instant behind the one in `column` when that is not earlier: so two changes are told apart that were made
/// in one millisecond.
pub(crate) fn later(column: impl ColumnTrait, now: Timestamp) -> Expr {
    use sea_orm::sea_query::ExprTrait;
    let known = || column.into_expr();
    CaseStatement::new().case(known().gte(now.millis()), known().add(1)).finally(now.millis()).into()
}

/// `column = column + 1`.
pub(crate) fn incremented(column: impl ColumnTrait) -> Expr {
    use sea_orm::sea_query::ExprTrait;
    Expr::col(column).add(1)
}
