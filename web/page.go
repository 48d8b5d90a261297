package web

import (
	"bytes"
	"embed"
	"errors"
	"io/fs"
	"net/http"
	"path"
	"time"
)

// assets are the page and its files, as they are: there is no build step.
//
//go:embed assets
var assets embed.FS

// assetTypes are the files that are served, by their ending.
var assetTypes = map[string]string{
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
	".html": "text/html; charset=utf-8",
}

// page is a page by itself.
func page(name string) handle {
	return func(w http.ResponseWriter, r *http.Request) error { return serveAsset(w, r, name) }
}

// asset is /assets/{name}.
func (s *Server) asset(w http.ResponseWriter, r *http.Request) error {
	return serveAsset(w, r, r.PathValue("name"))
}

func serveAsset(w http.ResponseWriter, r *http.Request, name string) error {
	kind, ok := assetTypes[path.Ext(name)]
	if !ok {
		return notFound("no such file")
	}
	body, err := assets.ReadFile(path.Join("assets", path.Base(name)))
	if errors.Is(err, fs.ErrNotExist) {
		return notFound("no such file")
	}
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-cache") // small, and an upgrade must show at once
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	return nil
}
