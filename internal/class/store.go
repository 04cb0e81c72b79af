package class

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // PostgreSQL
	_ "modernc.org/sqlite"
)

// Store keeps runs in a database. Its methods are safe for concurrent use.
type Store struct {
	db   *sql.DB
	name string // without a password
}

// schema is the same for both databases. What is kept of a run is one JSON text, which only this
// package reads; beside it is what is looked for.
const schema = `
CREATE TABLE IF NOT EXISTS labrun_class (version INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS runs (
	id BIGINT PRIMARY KEY,
	student TEXT NOT NULL,
	heard BIGINT NOT NULL, -- seconds since 1970
	kept TEXT NOT NULL
)`

const schemaVersion = 1

// OpenStore opens a database, and makes its tables where there are none: a URL of PostgreSQL (postgres://…), or a file
// for SQLite, which only its user can read. The caller closes it.
func OpenStore(ctx context.Context, where string) (*Store, error) {
	driver, source, name := "sqlite", "", where
	if strings.HasPrefix(where, "postgres://") || strings.HasPrefix(where, "postgresql://") {
		u, err := url.Parse(where)
		if err != nil {
			return nil, errors.New("open the class's database: its URL cannot be read") // which may have a password in it
		}
		driver, source, name = "pgx", where, u.Redacted()
	} else {
		if err := os.MkdirAll(filepath.Dir(where), 0o700); err != nil {
			return nil, fmt.Errorf("open the class's database: %w", err)
		}
		file, err := os.OpenFile(where, os.O_CREATE|os.O_RDWR, 0o600) // SQLite would let others read it
		if err != nil {
			return nil, fmt.Errorf("open the class's database: %w", err)
		}
		file.Close()
		// Others may read while it is written, and a reader waits rather than failing. A disk that is busy is not waited for
		// at each write: where the power fails, the runs are gone as well, and the next ones tell how far their students are.
		source = (&url.URL{Scheme: "file", OmitHost: true, Path: where,
			RawQuery: "_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=secure_delete(1)"}).String()
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		return nil, fmt.Errorf("open the class's database %s: %w", name, err)
	}
	if driver == "sqlite" {
		db.SetMaxOpenConns(1) // it has one writer
	}
	s := &Store{db, name}
	if err := s.prepare(ctx); err != nil {
		db.Close()
		return nil, fmt.Errorf("open the class's database %s: %w", name, err)
	}
	return s, nil
}

// prepare makes the tables, and refuses those of a later labrun.
func (s *Store) prepare(ctx context.Context) error {
	for _, statement := range strings.Split(schema, ";") {
		if _, err := s.db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	version := 0
	err := s.db.QueryRowContext(ctx, "SELECT version FROM labrun_class").Scan(&version)
	if errors.Is(err, sql.ErrNoRows) {
		_, err = s.db.ExecContext(ctx, "INSERT INTO labrun_class VALUES ($1)", schemaVersion)
		version = schemaVersion
	}
	if err == nil && version != schemaVersion {
		err = fmt.Errorf("it has the form %d and this labrun knows %d: use the labrun that made it, or another database", version, schemaVersion)
	}
	return err
}

// Close closes the database.
func (s *Store) Close() error { return s.db.Close() }

// Runs returns all that is kept, in the order in which it came.
func (s *Store) Runs(ctx context.Context) ([]*Run, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT id, kept FROM runs ORDER BY id")
	if err != nil {
		return nil, fmt.Errorf("read the class's database: %w", err)
	}
	defer rows.Close()
	var runs []*Run
	for rows.Next() {
		var id int64
		var kept string
		r := &Run{}
		if err := rows.Scan(&id, &kept); err != nil {
			return nil, fmt.Errorf("read the class's database: %w", err)
		}
		if err := json.Unmarshal([]byte(kept), r); err != nil {
			return nil, fmt.Errorf("read the class's database: run %d: %w", id, err)
		}
		r.ID = id
		runs = append(runs, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the class's database: %w", err)
	}
	return runs, nil
}

// row is a run as it is written.
type row struct {
	id      int64
	student string
	heard   int64
	kept    string
}

func newRow(r *Run) (row, error) {
	kept, err := json.Marshal(r)
	return row{r.ID, r.Student, r.Heard.Unix(), string(kept)}, err
}

// save writes runs, all or none.
func (s *Store) save(ctx context.Context, rows []row) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("write the class's database: %w", err)
	}
	defer tx.Rollback()
	write, err := tx.PrepareContext(ctx, `INSERT INTO runs (id, student, heard, kept) VALUES ($1, $2, $3, $4)
		ON CONFLICT (id) DO UPDATE SET student = excluded.student, heard = excluded.heard, kept = excluded.kept`)
	if err != nil {
		return fmt.Errorf("write the class's database: %w", err)
	}
	defer write.Close()
	for _, r := range rows {
		if _, err := write.ExecContext(ctx, r.id, r.student, r.heard, r.kept); err != nil {
			return fmt.Errorf("write the class's database: %w", err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("write the class's database: %w", err)
	}
	return nil
}

// forget removes what is kept of a student, and returns of how many runs.
func (s *Store) forget(ctx context.Context, student string) (int64, error) {
	return s.remove(ctx, "DELETE FROM runs WHERE student = $1", student)
}

// forgetBefore removes the runs of which nothing was heard since a time.
func (s *Store) forgetBefore(ctx context.Context, time time.Time) (int64, error) {
	return s.remove(ctx, "DELETE FROM runs WHERE heard < $1", time.Unix())
}

func (s *Store) remove(ctx context.Context, statement string, argument any) (int64, error) {
	result, err := s.db.ExecContext(ctx, statement, argument)
	if err != nil {
		return 0, fmt.Errorf("write the class's database: %w", err)
	}
	return result.RowsAffected()
}
