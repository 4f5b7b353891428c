package main

import (
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/gnomon-ai/gnomon/agent/internal/files"
	"github.com/gnomon-ai/gnomon/agent/internal/packs"
	"github.com/gnomon-ai/gnomon/signatures"
	"github.com/gnomon-ai/gnomon/signatures/catalogue"
	"github.com/gnomon-ai/gnomon/signatures/pack"
)

// packs is what the configuration says of packs.
func (t *tree) packs() (packs.Config, error) {
	c := packs.Config{
		File: t.SignaturesPack, AllowVersion: t.SignaturesAllowVersion, AgentVersion: version,
		Dir: filepath.Join(t.StateDir, "signatures"), Embedded: catalogue.Rules,
	}
	for _, text := range t.SignaturesKeys {
		key, err := pack.ParseKey(text)
		if err != nil {
			return c, fmt.Errorf("signatures_keys: %w", err)
		}
		c.Keys = append(c.Keys, ed25519.PublicKey(key))
	}
	return c, nil
}

// chosen are the signatures in effect.
type chosen struct {
	config packs.Config
	choice *packs.Choice
	set    *signatures.Set
}

// chooseCatalogue takes the pack of the configuration, or what takes its place,
// with the signatures of a folder beside it.
func chooseCatalogue(t *tree) (*chosen, error) {
	config, err := t.packs()
	if err != nil {
		return nil, err
	}
	choice, err := packs.Choose(config, time.Now())
	if err != nil {
		return nil, err
	}
	set, err := compileOver(choice.List, choice.Version, t.SignaturesDir)
	if err != nil && choice.Origin != packs.FromEmbedded {
		// Such as an id that the folder has taken.
		choice, err = choice.Fallback(config, fmt.Sprintf("%s cannot be used: %v", t.SignaturesPack, err))
		if err != nil {
			return nil, err
		}
		set, err = compileOver(choice.List, choice.Version, t.SignaturesDir)
	}
	if err != nil {
		return nil, err
	}
	return &chosen{config, choice, set}, nil
}

// keep stores what was accepted for the next start, and tells what is used where
// it is not what was asked for.
func (c *chosen) keep(log *slog.Logger) {
	if err := c.choice.Keep(); err != nil {
		log.Warn("the pack is used, but an older one could take its place at the next start", "error", err)
	}
	c.choice.Forget()
	if text, attention := c.choice.Describe(time.Now()); attention {
		log.Warn("the signatures are not what they should be", "using", text)
	}
}

// watcher looks after the file of the pack for a: another one takes effect at
// once in the pipeline, and in the file sensor for what it looks at from then on.
func (c *chosen) watcher(a *agent, t *tree, log *slog.Logger) *packs.Watcher {
	return packs.NewWatcher(c.config, c.choice, func(next *packs.Choice) error {
		set, err := compileOver(next.List, next.Version, t.SignaturesDir)
		if err != nil {
			return err
		}
		var names files.Config
		lookFor(set, &names)
		for _, r := range a.sensors {
			if s, ok := r.sensor.(interface{ Know(files.Config) }); ok {
				s.Know(names)
			}
		}
		a.pipeline.Use(set)
		return nil
	}, log)
}
