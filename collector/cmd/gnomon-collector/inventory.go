package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/gnomon-ai/gnomon/collector/internal/inventory"
	gnomonv1 "github.com/gnomon-ai/gnomon/proto/gnomon/v1"
)

func newInventoryCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "inventory",
		Short: "Validate, compare, apply and export the sanctioned AI inventory",
		Long: "Validate, compare, apply and export the sanctioned AI inventory.\n\n" +
			"Files are inventory/v1 or directory/v1 YAML (told apart by their schema key), or CSV: directory tables are told by their columns.",
		Example: "  gnomon-collector inventory validate inventory.yaml\n  gnomon-collector inventory apply inventory.yaml directory.yaml",
		Args:    cobra.NoArgs,
		RunE:    help,
	}
	c.AddCommand(newInventoryValidateCommand(), newInventoryDiffCommand(), newInventoryApplyCommand(), newInventoryExportCommand(), newInventoryTestCommand())
	return c
}

// importFiles are the files of an import by what they hold.
type importFiles struct{ inventory, directory []*gnomonv1.SourceFile }

func readImport(paths []string) (importFiles, error) {
	var files importFiles
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return files, fmt.Errorf("reading an import: %w", err)
		}
		file := &gnomonv1.SourceFile{Name: path, Content: data}
		if isDirectory(path, data) {
			files.directory = append(files.directory, file)
		} else {
			files.inventory = append(files.inventory, file)
		}
	}
	return files, nil
}

// isDirectory tells a directory from an inventory: by the schema line of a
// YAML file, by the columns of a CSV file.
func isDirectory(path string, data []byte) bool {
	if strings.EqualFold(filepath.Ext(path), ".csv") {
		// Rows of an inventory have an id; users and hosts have a name alone.
		header, _, _ := bytes.Cut(data, []byte("\n"))
		columns := strings.FieldsFunc(strings.ToLower(string(header)), func(r rune) bool { return !unicode.IsLetter(r) && r != '_' })
		return slices.Contains(columns, "name") && !slices.Contains(columns, "id")
	}
	for line := range bytes.Lines(data) {
		if rest, found := bytes.CutPrefix(line, []byte("schema:")); found {
			return bytes.Contains(rest, []byte(inventory.DirectorySchema))
		}
	}
	return false
}

func newInventoryValidateCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "validate FILE…",
		Short:   "Check files without a collector",
		Example: "  gnomon-collector inventory validate inventory.yaml directory.yaml",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, paths []string) error {
			files, err := readImport(paths)
			if err != nil {
				return err
			}
			problems := validateImport(c.OutOrStdout(), files)
			if problems == nil {
				_, err = fmt.Fprintln(c.OutOrStdout(), "ok")
				return err
			}
			if _, err := fmt.Fprintln(c.OutOrStdout(), problems); err != nil {
				return err
			}
			return errAttention
		},
	}
}

// validateImport checks files as an import into an empty collector would.
func validateImport(w io.Writer, files importFiles) error {
	var problems []error
	var documents, directories []inventory.File
	for _, f := range files.inventory {
		file := inventory.File{Name: f.GetName(), Data: f.GetContent()}
		if !strings.EqualFold(filepath.Ext(file.Name), ".csv") {
			documents = append(documents, file)
			continue
		}
		result, err := inventory.ImportCSV(nil, file)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		problems = append(problems, rejections(result.Rejected)...)
	}
	for _, f := range files.directory {
		file := inventory.File{Name: f.GetName(), Data: f.GetContent()}
		if !strings.EqualFold(filepath.Ext(file.Name), ".csv") {
			directories = append(directories, file)
			continue
		}
		result, err := inventory.ImportDirectoryCSV(nil, file)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		problems = append(problems, rejections(result.Rejected)...)
	}
	if len(documents) > 0 {
		_, notices, err := inventory.Parse(documents)
		problems = append(problems, err)
		for _, n := range notices {
			_, err := fmt.Fprintln(w, "warning:", n.Problem)
			problems = append(problems, err)
		}
	}
	if len(directories) > 0 {
		_, err := inventory.ParseDirectory(directories)
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

func rejections(list []inventory.Rejection) []error {
	var problems []error
	for _, r := range list {
		problems = append(problems, fmt.Errorf("%s:%d: %s: %q: %s", r.File, r.Row, r.Column, r.Value, r.Reason))
	}
	return problems
}

func newInventoryDiffCommand() *cobra.Command {
	var asked connection
	c := &cobra.Command{
		Use:     "diff FILE…",
		Short:   "Show what applying files would change",
		Example: "  gnomon-collector inventory diff inventory.yaml",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, paths []string) error {
			files, err := readImport(paths)
			if err != nil {
				return err
			}
			if len(files.directory) > 0 {
				return usageError{fmt.Errorf("%s is a directory, which is replaced whole: diff takes inventories", files.directory[0].GetName())}
			}
			client, err := asked.inventory()
			if err != nil {
				return err
			}
			r, err := client.DiffInventory(c.Context(), &gnomonv1.DiffInventoryRequest{Files: files.inventory})
			if err != nil {
				return complaint(err)
			}
			return report(c.OutOrStdout(), fmt.Sprintf("against revision %d", r.GetBaseRevision()), r.GetChanges(), r.GetNotices(), r.GetUnchanged())
		},
	}
	asked.addFlags(c)
	return c
}

func newInventoryApplyCommand() *cobra.Command {
	var asked connection
	var base uint64
	var replace bool
	c := &cobra.Command{
		Use:   "apply FILE…",
		Short: "Make files the inventory, or the directory, that is in force from now on",
		Long: "Make files the inventory, or the directory, that is in force from now on.\n\n" +
			"Entries that the files do not hold stay, unless --replace is given. A rejected row applies nothing (exit code 3). " +
			"Every accepted change is a new revision; older ones are never rewritten.",
		Example: "  gnomon-collector inventory apply inventory.yaml directory.yaml\n  gnomon-collector inventory apply --base 7 --replace inventory.yaml",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, paths []string) error {
			files, err := readImport(paths)
			if err != nil {
				return err
			}
			client, err := asked.inventory()
			if err != nil {
				return err
			}
			w := c.OutOrStdout()
			if len(files.directory) > 0 {
				r, err := client.ApplyDirectory(c.Context(), &gnomonv1.ApplyDirectoryRequest{Files: files.directory, Source: sourceOf(files.directory)})
				if err != nil {
					return complaint(err)
				}
				if err := report(w, fmt.Sprintf("directory snapshot %d", r.GetRevision().GetNumber()), r.GetChanges(), r.GetNotices(), 0); err != nil {
					return err
				}
			}
			if len(files.inventory) == 0 {
				return nil
			}
			r, err := client.ApplyInventory(c.Context(), &gnomonv1.ApplyInventoryRequest{
				Files: files.inventory, BaseRevision: base, Source: sourceOf(files.inventory), Replace: replace,
			})
			if err != nil {
				return complaint(err)
			}
			return report(w, fmt.Sprintf("inventory revision %d, %d entries", r.GetRevision().GetNumber(), r.GetRevision().GetEntries()),
				r.GetChanges(), r.GetNotices(), r.GetUnchanged())
		},
	}
	asked.addFlags(c)
	c.Flags().Uint64Var(&base, "base", 0, "refuse if another revision than this is in force")
	c.Flags().BoolVar(&replace, "replace", false, "remove entries that the files do not hold")
	return c
}

func sourceOf(files []*gnomonv1.SourceFile) string {
	if strings.EqualFold(filepath.Ext(files[0].GetName()), ".csv") {
		return "csv"
	}
	return "api"
}

// report prints changes and notices; rejected rows need attention.
func report(w io.Writer, title string, changes []*gnomonv1.Change, notices []*gnomonv1.Notice, unchanged uint32) error {
	var b strings.Builder
	fmt.Fprintln(&b, title)
	for _, change := range changes {
		fmt.Fprintf(&b, "  %-9s %s\n", change.GetKind(), change.GetId())
		for _, f := range change.GetFields() {
			fmt.Fprintf(&b, "            %s: %s -> %s\n", f.GetPath(), absent(f.GetBefore()), absent(f.GetAfter()))
		}
	}
	if unchanged > 0 {
		fmt.Fprintf(&b, "  %d unchanged\n", unchanged)
	}
	var err error
	for _, n := range notices {
		place := strings.TrimPrefix(n.GetKey(), ":")
		if n.GetFile() != "" {
			place = fmt.Sprintf("%s:%d: %s", n.GetFile(), n.GetLine(), n.GetKey())
		}
		fmt.Fprintf(&b, "  %s: %s: %s\n", n.GetKind(), place, n.GetMessage())
		if n.GetKind() == "rejected" {
			err = errAttention
		}
	}
	if err != nil {
		fmt.Fprintln(&b, "nothing was applied: mend the rejected rows and repeat")
	}
	if _, failed := io.WriteString(w, b.String()); failed != nil {
		return failed
	}
	return err
}

func absent(value string) string {
	if value == "" {
		return "(none)"
	}
	return value
}

func newInventoryExportCommand() *cobra.Command {
	var asked connection
	var revision uint64
	var format string
	c := &cobra.Command{
		Use:     "export [FILE]",
		Short:   "Write the inventory as YAML or CSV",
		Example: "  gnomon-collector inventory export inventory.yaml\n  gnomon-collector inventory export --revision 3 --format csv",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, paths []string) error {
			client, err := asked.inventory()
			if err != nil {
				return err
			}
			if format == "" && len(paths) == 1 && strings.EqualFold(filepath.Ext(paths[0]), ".csv") {
				format = "csv"
			}
			r, err := client.ExportInventory(c.Context(), &gnomonv1.ExportInventoryRequest{Revision: revision, Format: format})
			if err != nil {
				return complaint(err)
			}
			if len(paths) == 1 {
				if err := os.WriteFile(paths[0], r.GetContent(), 0o600); err != nil {
					return fmt.Errorf("writing the export: %w", err)
				}
				return nil
			}
			if _, err := c.OutOrStdout().Write(r.GetContent()); err != nil {
				return fmt.Errorf("writing the export: %w", err)
			}
			return nil
		},
	}
	asked.addFlags(c)
	c.Flags().Uint64Var(&revision, "revision", 0, "an older revision")
	c.Flags().StringVar(&format, "format", "", "yaml or csv (default: by the file's name)")
	return c
}

func newInventoryTestCommand() *cobra.Command {
	var asked connection
	var request gnomonv1.TestInventoryRequest
	var at string
	c := &cobra.Command{
		Use:     "test --name NAME [--user USER] [--host HOST]",
		Short:   "Ask which entry a use would meet, which verdict, and why",
		Example: "  gnomon-collector inventory test --user ana --host laptop-7 --name api.openai.com",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if request.GetName() == "" {
				return usageError{errors.New("--name is needed: a host name, a signature id, or model:<name>")}
			}
			moment, err := parseMoment(at, time.Now())
			if err != nil {
				return usageError{fmt.Errorf("--at: %w", err)}
			}
			request.At = moment
			client, err := asked.inventory()
			if err != nil {
				return err
			}
			r, err := client.TestInventory(c.Context(), &request)
			if err != nil {
				return complaint(err)
			}
			var b strings.Builder
			j := r.GetJudgement()
			fmt.Fprintf(&b, "verdict    %s\nreason     %s\nentry      %s\nsignature  %s\ninventory  revision %d, directory snapshot %d\n",
				j.GetVerdict(), j.GetReason(), absent(j.GetEntryId()), absent(r.GetSignatureId()), j.GetInventoryRevision(), j.GetDirectorySnapshot())
			for _, step := range r.GetWalk() {
				fmt.Fprintln(&b, "  ", step)
			}
			_, err = io.WriteString(c.OutOrStdout(), b.String())
			return err
		},
	}
	asked.addFlags(c)
	f := c.Flags()
	f.StringVar(&request.Name, "name", "", "host name, signature id, or model:<name>")
	f.StringVar(&request.User, "user", "", "who")
	f.StringVar(&request.Host, "host", "", "on which host")
	f.StringVar(&request.Channel, "channel", "", "endpoint, server or gateway")
	f.StringVar(&at, "at", "", "at this time instead of now")
	return c
}
