package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// pcapCmd writes what a call in progress says from now on.
type pcapCmd struct {
	Call   string        `arg:"" help:"The id of a call in progress."`
	Config string        `type:"path" required:"" placeholder:"FILE" help:"The configuration; it says where the hotline is, and has a supervisor's token."`
	For    time.Duration `default:"30s" help:"For how long, 1s to 10m. It ends with the call, or by Ctrl-C."`
}

// Run implements the command. A signal ends it well, as it does other tools that capture; what came until then is kept.
func (p *pcapCmd) Run(con *console) error {
	if isTerminal(con.out) {
		return errors.New("a capture is no text; write it to a file: hotline pcap CALL --config FILE > call.pcapng")
	}
	cfg, err := loadConfig(p.Config)
	if err != nil {
		return con.problems(err)
	}
	ctx, stop := con.untilSignal()
	defer stop()
	path := "/api/v1/calls/" + url.PathEscape(p.Call) + "/pcap?" + url.Values{"for": {p.For.String()}}.Encode()
	res, err := askHere(ctx, cfg, http.MethodGet, path)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return refusal(res)
	}
	defer func() { _ = res.Body.Close() }() // it was read
	packets, err := copyBlocks(con.out, res.Body)
	if errors.Is(context.Cause(ctx), errStopped) {
		con.complain("hotline: %v: the capture has the %d packets until then\n", errStopped, packets)
		return nil
	}
	return cutOff(err, fmt.Sprintf("capture after %d packets", packets))
}

// Of a block of pcapng (draft-ietf-opsawg-pcapng section 3.1): type, length of all, body, length again; in the order of octets
// that the hotline writes.
const (
	blockHead    = 8
	blockLeast   = 12
	blockMost    = 1 << 20
	packetOfFile = 6 // enhanced packet block
)

// copyBlocks copies a capture file block by block, as each comes: one that is cut off is still whole as far as it goes, and
// tools read it without complaint. The error is io.ErrUnexpectedEOF also where the file ends within a block.
func copyBlocks(to io.Writer, from io.Reader) (packets int, err error) {
	r := bufio.NewReader(from)
	var block []byte
	for {
		head, err := r.Peek(blockHead)
		if errors.Is(err, io.EOF) && len(head) == 0 {
			return packets, nil
		}
		if errors.Is(err, io.EOF) {
			return packets, io.ErrUnexpectedEOF
		}
		if err != nil {
			return packets, err
		}
		kind, size := binary.LittleEndian.Uint32(head), binary.LittleEndian.Uint32(head[4:])
		if size < blockLeast || size > blockMost {
			return packets, fmt.Errorf("a block of %d octets, which is none of a capture file", size)
		}
		block = append(block[:0], make([]byte, size)...)
		if _, err := io.ReadFull(r, block); errors.Is(err, io.EOF) {
			return packets, io.ErrUnexpectedEOF
		} else if err != nil {
			return packets, err
		}
		if _, err := to.Write(block); err != nil {
			return packets, fmt.Errorf("write the capture: %w", err)
		}
		if kind == packetOfFile {
			packets++
		}
	}
}
