package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// blockRows is the most rows of one insert: it stays below the server's
// max_insert_block_size, so one call is one block and one part.
const blockRows = 50_000

// insert writes rows in blocks of one month each: the server then makes one
// part of a block, whole or not at all. A block whose connection broke is sent
// again; its rows land on themselves.
func insert[T any](ctx context.Context, s *Store, op, table string, columns []column[T], rows []*T, month func(*T) time.Time) error {
	statement := "INSERT INTO " + s.table(table) + " (" + names(columns) + ")"
	for _, block := range byMonth(rows, month) {
		for len(block) > 0 {
			n := min(len(block), blockRows)
			if err := s.do(ctx, op, func() error { return s.send(ctx, statement, fill(columns, block[:n])) }); err != nil {
				return err
			}
			block = block[n:]
		}
	}
	return nil
}

func fill[T any](columns []column[T], rows []*T) []any {
	blocks := make([]any, len(columns))
	for i, c := range columns {
		blocks[i] = c.block(rows)
	}
	return blocks
}

func (s *Store) send(ctx context.Context, statement string, blocks []any) error {
	batch, err := s.conn.PrepareBatch(ctx, statement) //nolint:clickhouselint // every way out sends the batch or aborts it
	if err != nil {
		return err
	}
	for i, values := range blocks {
		if err := batch.Column(i).Append(values); err != nil {
			return errStop{errors.Join(fmt.Errorf("store: column %d of %q: %w", i, statement, err), batch.Abort())}
		}
	}
	return batch.Send()
}

// byMonth groups rows by partition, in the order the months first appear.
func byMonth[T any](rows []*T, month func(*T) time.Time) [][]*T {
	var groups [][]*T
	index := map[int]int{}
	for _, r := range rows {
		t := month(r).UTC()
		key := t.Year()*12 + int(t.Month())
		at, ok := index[key]
		if !ok {
			at = len(groups)
			index[key] = at
			groups = append(groups, nil)
		}
		groups[at] = append(groups[at], r)
	}
	return groups
}
