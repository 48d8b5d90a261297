// Package sip owns the user agent: transports, the check of every message before anything believes it,
// dialogs, the legs that package call drives, trunks, and the registrar with its flows. It alone
// imports sipgo, of which it uses the parser, the transports and the transactions; dialogs are its own.
//
// Package cmd makes a [UA] with [New], runs it with [UA.Run], and hands it to package acd, which rings
// agents through [UA.Ring]. A call that comes in is checked, authenticated, routed, and given to
// Options.OnIncoming, whose goroutine (the INVITE's handler) then owns the call and its legs.
//
// Streams are opened before sipgo has them (handshake.go): TLS, whose certificates change while it serves (certificate.go), and
// WebSockets (websocket.go). sipgo is handed messages; what it takes a WebSocket for is the transport below (source.go).
//
// A message's way in: the socket (udp.go, conns.go, frame.go), the outline of its bytes (outline.go, form.go, refuse.go),
// sipgo's parser with header parsers of ours (parser.go), the checks (check.go, content.go), the door (incoming.go) or
// its dialog (indialog.go). ServeBare is sipgo alone, which what all this costs is measured against.
//
// What we say of ourselves, and which of several listeners a message leaves by, is ourselves.go's.
//
// As one node of several (Options.Site), every INVITE that is made by a claim passes the gate of the phone's edge in the step
// in which it leaves (gates.go, guard.go): ring_site.go for the calls of this node, whose INVITE goes to another node where
// the phone is registered there, and the proxy (relay.go, relay_pass.go, relay_end.go) for those of others. What is the
// proxy's is taken from the sockets before sipgo sees it.
//
// Connections that requests of ours leave by are opened by us (outward.go), those to trunks of TLS by whom a trunk's
// certificate must be for (trunk_tls.go, aims.go); large.go has what is large for UDP leave by them, too.
//
// A trunk is known by its address, by what its carrier was told to call (trunk_register.go, trunk_binding.go), or by
// digest (trunk_login.go). Numbers outside go by the trunks that a rule of dialplan.go names, in the order of failover.go;
// trunk_ping.go says which are down, trunk_calls.go which are full, hosts.go which of a trunk's addresses serves, and
// numbering.go how numbers are written.
//
// Strangers, which is everybody but trunks, the hosts of registered phones, and those where a password was proved lately
// (homes.go), may have a bounded share of everything (limits), and nothing is remembered of what they asked once it is
// answered. What they try to log in with is bounded by tries.go, bans are in bans.go.
//
// Goroutines: sipgo handles each received message on its own goroutine, in any order; requests enter
// through UA.serve, which counts them and contains their panics. What must keep the order of the wire, the
// instants and the 18x, is taken before, in UA.arrived on the goroutine that reads the socket. A leg's
// dialog is guarded by the leg's mutex, so that requests within a dialog are taken one at a time; no lock is
// held while a callback of another package runs, but for the post function of Leg.Attach, which must not
// block. The tables of legs, connections and bindings have a mutex each, a leaf in the order of locks.
// A leg has one timer, of its session, and no goroutine: what is due then runs in UA.background.
// Everything that outlives its caller (resending a 200, the BYE of a leg that ended, a CANCEL that waits for
// its answer, the NOTIFYs of a transfer, the look-up of a name) runs in UA.background, and UA.Close waits for it. So does the goroutine of each
// registration of a trunk and of each ping; a reload starts and stops them under registrations.mu.
package sip
