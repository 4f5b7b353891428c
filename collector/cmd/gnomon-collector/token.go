package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/gnomon-ai/gnomon/collector/internal/config"
	"github.com/gnomon-ai/gnomon/collector/internal/output"
	"github.com/gnomon-ai/gnomon/collector/internal/state"
	"github.com/gnomon-ai/gnomon/signatures/strictyaml"
)

// newTokenCommand works on the state database itself, beside a running
// collector too: who may read the file may make tokens.
func newTokenCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "token",
		Short:   "Create, list and revoke tokens of agents, readers and admins",
		Example: "  gnomon-collector token create --name laptops --role agent",
		Args:    cobra.NoArgs,
		RunE:    help,
	}
	c.AddCommand(newTokenCreateCommand(), newTokenListCommand(), newTokenRevokeCommand())
	return c
}

// withState opens the state database of a data folder for one command.
func withState(ctx context.Context, dataDir string, do func(*state.State) error) error {
	if _, err := os.Stat(stateFile(dataDir)); err != nil {
		return fmt.Errorf("no state database in %s: start the collector once, or name its folder with --data-dir: %w", dataDir, err)
	}
	s, err := state.Open(ctx, stateFile(dataDir))
	if err != nil {
		return err
	}
	if err := s.Migrate(ctx); err != nil {
		return errors.Join(err, s.Close())
	}
	return errors.Join(do(s), s.Close())
}

func localChange() state.Change {
	author := "local"
	if u, err := user.Current(); err == nil {
		author = u.Username
	}
	return state.Change{Author: author, Source: state.SourceAPI, At: time.Now()}
}

func newTokenCreateCommand() *cobra.Command {
	var dataDir, name, role, expires string
	c := &cobra.Command{
		Use:     "create --name NAME",
		Short:   "Make a token and print it once",
		Example: "  gnomon-collector token create --name laptops --role agent --expires 365d",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if name == "" {
				return usageError{errors.New("--name is needed: who or what will use the token")}
			}
			if !slices.Contains([]state.TokenRole{state.RoleAgent, state.RoleReader, state.RoleAdmin}, state.TokenRole(role)) {
				return usageError{fmt.Errorf("--role: %q is none of agent, reader and admin", role)}
			}
			var until time.Time
			if expires != "" {
				d, err := strictyaml.ParseDuration(expires)
				if err != nil {
					return usageError{fmt.Errorf("--expires: %w", err)}
				}
				until = time.Now().Add(d)
			}
			return withState(c.Context(), dataDir, func(s *state.State) error {
				_, plain, err := s.CreateToken(c.Context(), name, state.TokenRole(role), until, localChange())
				if err != nil {
					return err
				}
				_, err = fmt.Fprintln(c.OutOrStdout(), plain)
				return err
			})
		},
	}
	f := c.Flags()
	f.StringVar(&dataDir, "data-dir", config.DefaultDataDir(), "folder of the collector")
	f.StringVar(&name, "name", "", "who or what will use it")
	f.StringVar(&role, "role", string(state.RoleAgent), "agent, reader or admin")
	f.StringVar(&expires, "expires", "", "after this time, e.g. 90d (default: never)")
	return c
}

func newTokenListCommand() *cobra.Command {
	var dataDir, format string
	columns := []output.Column[state.Token]{
		{Name: "id", Value: func(t state.Token) any { return t.ID }},
		{Name: "name", Value: func(t state.Token) any { return t.Name }},
		{Name: "role", Value: func(t state.Token) any { return string(t.Role) }},
		{Name: "created", Value: func(t state.Token) any { return t.CreatedAt }},
		{Name: "expires", Value: func(t state.Token) any { return t.ExpiresAt }},
		{Name: "revoked", Value: func(t state.Token) any { return t.RevokedAt }},
	}
	c := &cobra.Command{
		Use:     "list",
		Short:   "List tokens; the tokens themselves are kept nowhere",
		Example: "  gnomon-collector token list",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			parsed, err := output.ParseFormat(format)
			if err != nil {
				return usageError{fmt.Errorf("--output: %w", err)}
			}
			return withState(c.Context(), dataDir, func(s *state.State) error {
				tokens, err := s.ListTokens(c.Context())
				if err != nil {
					return err
				}
				return output.Write(c.OutOrStdout(), parsed, columns, tokens)
			})
		},
	}
	c.Flags().StringVar(&dataDir, "data-dir", config.DefaultDataDir(), "folder of the collector")
	c.Flags().StringVar(&format, "output", string(output.Table), "table, jsonl or csv")
	return c
}

func newTokenRevokeCommand() *cobra.Command {
	var dataDir string
	c := &cobra.Command{
		Use:     "revoke ID",
		Short:   "Refuse a token from now on",
		Example: "  gnomon-collector token revoke 4f3k2m1p7q6r5s4t",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, arguments []string) error {
			return withState(c.Context(), dataDir, func(s *state.State) error {
				return s.RevokeToken(c.Context(), arguments[0], localChange())
			})
		},
	}
	c.Flags().StringVar(&dataDir, "data-dir", config.DefaultDataDir(), "folder of the collector")
	return c
}
