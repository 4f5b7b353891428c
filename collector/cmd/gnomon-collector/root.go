package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "gnomon-collector",
		Short:         "Keep findings of AI use and hold them against the sanctioned inventory",
		Long:          "Keep findings of AI use and hold them against the sanctioned inventory.\n\nExit codes: 0 done, 1 failed, 2 wrong usage, 3 done but something needs attention.",
		SilenceUsage:  true,
		SilenceErrors: true,
		Example:       "  gnomon-collector serve\n  gnomon-collector verdicts --since 24h",
		Args:          cobra.NoArgs,
		RunE:          help,
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w (see %s --help)", err, c.CommandPath())}
	})
	root.AddCommand(
		newServeCommand(),
		newInventoryCommand(),
		newVerdictsCommand(),
		newUsageCommand(),
		newFindingsCommand(),
		newCoverageCommand(),
		newSQLCommand(),
		newCatalogueCommand(),
		newPackCommand(),
		newTokenCommand(),
		newEndpointCommand(),
		newDoctorCommand(),
		newMigrateCommand(),
		newVersionCommand(),
	)
	wrapArguments(root)
	return root
}

// help runs a command that only holds others. It must have something to run:
// cobra checks arguments of no other, and a misspelt command would succeed.
func help(c *cobra.Command, _ []string) error { return c.Help() }

// wrapArguments turns complaints about arguments into usage errors.
func wrapArguments(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, arguments []string) error {
			if err := check(c, arguments); err != nil {
				return usageError{fmt.Errorf("%w (see %s --help)", err, c.CommandPath())}
			}
			return nil
		}
	}
	for _, child := range c.Commands() {
		wrapArguments(child)
	}
}

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print version, commit and Go version",
		Example: "  gnomon-collector version",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(c.OutOrStdout(), "gnomon-collector %s\ncommit %s\n%s %s/%s\n", version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}
