package main

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gnomon-ai/gnomon/signatures"
	"github.com/gnomon-ai/gnomon/signatures/catalogue"
	"github.com/gnomon-ai/gnomon/signatures/pack"
	"github.com/gnomon-ai/gnomon/signatures/sigtest"
	"github.com/gnomon-ai/gnomon/signatures/strictyaml"
)

// embedded is the value of pack build --from for the signatures of the program.
const embedded = "embedded"

func newPackCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "pack",
		Short: "Build, sign, verify and compare packs of signatures",
		Long: "Build, sign, verify and compare packs of signatures: one signed file that agents read with\n" +
			"signatures_pack, over a network or carried by hand. No collector needs to run.",
		Example: "  gnomon-collector pack build --from embedded --version 7 -o signatures.pack\n  gnomon-collector pack verify signatures.pack --key key.pub",
		Args:    cobra.NoArgs,
		RunE:    help,
	}
	c.AddCommand(newPackKeygenCommand(), newPackBuildCommand(), newPackSignCommand(), newPackVerifyCommand(), newPackDiffCommand())
	return c
}

func newPackKeygenCommand() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:     "keygen -o FILE",
		Short:   "Make a signing key: the private half into FILE, the public half printed for signatures_keys",
		Example: "  gnomon-collector pack keygen -o key.pem",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if out == "" {
				return usageError{errors.New("-o is needed: the file for the private key")}
			}
			key, err := pack.NewKey(out)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), pack.FormatKey(key))
			return err
		},
	}
	c.Flags().StringVarP(&out, "out", "o", "", "file for the private key; nothing may be there yet")
	return c
}

func newPackBuildCommand() *cobra.Command {
	var from, id, channel, minAgent, created, expires, out string
	var version uint64
	c := &cobra.Command{
		Use:   "build --from DIR|embedded --version N -o FILE",
		Short: "Make a pack of a folder of signatures, or of the program's own",
		Long: "Make an unsigned pack of a folder of signatures, or of the program's own, once all of sigtest passes.\n" +
			"The same signatures and flags give the same bytes: the time is taken from --created or\n" +
			"SOURCE_DATE_EPOCH, and from the clock only with --created now.",
		Example: "  gnomon-collector pack build --from embedded --version 7 --channel stable --created now --expires 90d -o signatures.pack",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if from == "" || out == "" || version == 0 {
				return usageError{errors.New("--from, --version (from 1) and -o are needed")}
			}
			options := pack.Options{ID: id, Version: version, Channel: channel, MinAgentVersion: minAgent}
			var err error
			if options.Created, err = packCreated(created, os.Getenv("SOURCE_DATE_EPOCH"), time.Now); err != nil {
				return usageError{err}
			}
			if options.Expires, err = packExpires(expires, options.Created); err != nil {
				return usageError{err}
			}
			if err := options.Validate(); err != nil {
				return usageError{fmt.Errorf("--%w", err)}
			}
			list, err := packSource(from)
			if err != nil {
				return err
			}
			if problems := sigtest.Run(list); len(problems) > 0 {
				return fmt.Errorf("%d examples or rules fail, mend them first; the first is %v", len(problems), problems[0])
			}
			data, err := pack.Build(list, options)
			if err != nil {
				return err
			}
			if err := pack.WriteFile(out, data, 0o644); err != nil {
				return fmt.Errorf("writing the pack: %w", err)
			}
			p, err := pack.Open(data)
			if err != nil {
				return err
			}
			return describePack(c, p, len(data))
		},
	}
	f := c.Flags()
	f.StringVar(&from, "from", "", "folder of catalogue files (*.yaml), or embedded")
	f.StringVar(&id, "id", "gnomon", "whose line of packs it is; agents do not change over to another by themselves")
	f.Uint64Var(&version, "version", 0, "number, higher than every one before")
	f.StringVar(&channel, "channel", "stable", "what it is for")
	f.StringVar(&minAgent, "min-agent-version", "", "least version of an agent, e.g. 0.4.0")
	f.StringVar(&created, "created", "", "time (2026-01-31 or 2026-01-31T12:00:00Z), or now; SOURCE_DATE_EPOCH where it is not given")
	f.StringVar(&expires, "expires", "", "time, or time after created, e.g. 90d; expired packs work and are reported")
	f.StringVarP(&out, "out", "o", "", "file to write")
	return c
}

// packSource loads the signatures that a pack is made of.
func packSource(from string) ([]signatures.Signature, error) {
	if from == embedded {
		return catalogue.All()
	}
	if _, err := os.Stat(from); err != nil {
		return nil, fmt.Errorf("reading --from: %w", err)
	}
	list, err := signatures.Load(os.DirFS(from))
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("there are no signatures (*.yaml) in %s", from)
	}
	return list, err
}

// packCreated is the time of --created; the zero time where nobody gives one.
func packCreated(flag, epoch string, now func() time.Time) (time.Time, error) {
	switch {
	case flag == "now":
		return now(), nil
	case flag != "":
		t, err := packTime(flag)
		if err != nil {
			return t, fmt.Errorf("--created: %w", err)
		}
		return t, nil
	case epoch != "":
		seconds, err := strconv.ParseInt(epoch, 10, 64)
		if err != nil {
			return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH: %q is no number of seconds", epoch)
		}
		return time.Unix(seconds, 0), nil
	}
	return time.Time{}, nil
}

// packExpires is the time of --expires; the zero time where it is not given.
func packExpires(flag string, created time.Time) (time.Time, error) {
	if flag == "" {
		return time.Time{}, nil
	}
	if t, err := packTime(flag); err == nil {
		return t, nil
	}
	d, err := strictyaml.ParseDuration(flag)
	switch {
	case err != nil || d <= 0:
		return time.Time{}, fmt.Errorf("--expires: %q is neither a time such as 2026-01-31 nor a time after created such as 90d", flag)
	case created.IsZero():
		return time.Time{}, errors.New("--expires: a time after created needs --created or SOURCE_DATE_EPOCH")
	}
	return created.Add(d), nil
}

func packTime(text string) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time such as 2026-01-31 or 2026-01-31T12:00:00Z", text)
}

func newPackSignCommand() *cobra.Command {
	var key string
	c := &cobra.Command{
		Use:     "sign --key FILE PACK",
		Short:   "Add a signature to a pack, in its file",
		Long:    "Add a signature to a pack, in its file. To change over to another key, sign with both for a while.",
		Example: "  gnomon-collector pack sign --key key.pem signatures.pack",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, arguments []string) error {
			if key == "" {
				return usageError{errors.New("--key is needed: the file of the private key")}
			}
			private, err := pack.ReadPrivateKey(key)
			if err != nil {
				return err
			}
			data, err := pack.ReadFile(arguments[0])
			if err != nil {
				return err
			}
			signed, err := pack.Sign(data, private)
			if err != nil {
				return fmt.Errorf("%s: %w", arguments[0], err)
			}
			if err := pack.WriteFile(arguments[0], signed, 0o644); err != nil {
				return fmt.Errorf("writing the pack: %w", err)
			}
			p, err := pack.Open(signed)
			if err != nil {
				return err
			}
			return describePack(c, p, len(signed))
		},
	}
	c.Flags().StringVar(&key, "key", "", "file of the private key, as pack keygen writes it")
	return c
}

// readKeys reads public keys: each itself, or the name of a file that holds it.
func readKeys(texts []string) ([]ed25519.PublicKey, error) {
	var keys []ed25519.PublicKey
	for _, text := range texts {
		key, err := pack.ParseKey(text)
		if err != nil {
			data, readErr := os.ReadFile(text)
			if readErr != nil {
				return nil, fmt.Errorf("--key: %w, or the name of a file that holds it", err)
			}
			if key, err = pack.ParseKey(string(data)); err != nil {
				return nil, fmt.Errorf("--key: %s: %w", text, err)
			}
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// describePack prints what a pack says of itself.
func describePack(c *cobra.Command, p *pack.Pack, size int) error {
	m := &p.Manifest
	signers := make([]string, 0, 2)
	for _, id := range p.Signers() {
		signers = append(signers, id.String())
	}
	if len(signers) == 0 {
		signers = append(signers, "nobody")
	}
	line := func(name, value string) string { return fmt.Sprintf("%-11s %s\n", name, value) }
	text := line("pack", fmt.Sprintf("%s version %d, %s", m.ID, m.Version, m.Channel)) +
		line("catalogue", fmt.Sprintf("%s, %d signatures", m.Catalogue, m.Signatures)) +
		line("created", packDate(m.Created, "not given")) +
		line("expires", packDate(m.Expires, "never")) +
		line("sources", fmt.Sprintf("%d hosts and repositories, %s", len(m.Attribution), m.Licence)) +
		line("signed by", strings.Join(signers, ", ")) +
		line("size", fmt.Sprintf("%d bytes", size))
	if m.MinAgentVersion != "" {
		text += line("for agents", "from "+m.MinAgentVersion)
	}
	_, err := fmt.Fprint(c.OutOrStdout(), text)
	return err
}

func packDate(t time.Time, none string) string {
	if t.IsZero() {
		return none
	}
	return t.UTC().Format(time.RFC3339)
}
