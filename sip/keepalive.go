package sip

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
)

// Keep-alive over UDP as RFC 5626 section 8 has it: a phone asks by STUN (RFC 8489) whether its flow is still the one that it
// registered over. Over streams it sends line ends (section 3.5.1), which the framer answers.

const (
	stunHead    = 20 // octets: type, length, cookie, id of the transaction
	stunRequest = 0x0001
	stunSuccess = 0x0101
	stunCookie  = 0x2112A442
	stunMapped  = 0x0020 // XOR-MAPPED-ADDRESS
	// stunOptional is that of the types of attributes from which on whoever does not know one may leave it alone.
	stunOptional = 0x8000
)

// kept answers the Binding request of a phone that is registered over the flow, and tells whether it was one. Nobody else is
// answered: the source may be false.
func (u *UA) kept(conn net.PacketConn, src netip.AddrPort, data []byte) bool {
	answer := bindingSuccess(data, src)
	if answer == nil {
		return false
	}
	if _, ok := u.registrar.agentAt(transportUDP, src); !ok {
		return false
	}
	if _, err := conn.WriteTo(answer, net.UDPAddrFromAddrPort(src)); err != nil {
		u.metrics.drop(unsent(err))
	}
	return true
}

// bindingSuccess is what a STUN Binding request is answered; nil: data is none, or one with attributes that must be understood,
// which no keep-alive has.
func bindingSuccess(data []byte, src netip.AddrPort) []byte {
	be := binary.BigEndian
	if len(data) < stunHead || be.Uint16(data) != stunRequest || be.Uint32(data[4:]) != stunCookie || int(be.Uint16(data[2:])) != len(data)-stunHead {
		return nil
	}
	const attributeHead, round = 4, 4
	for rest := data[stunHead:]; len(rest) > 0; {
		if len(rest) < attributeHead || be.Uint16(rest) < stunOptional {
			return nil
		}
		size := attributeHead + (int(be.Uint16(rest[2:]))+round-1)/round*round
		if size > len(rest) {
			return nil
		}
		rest = rest[size:]
	}
	const ipv4, ipv6 = 1, 2
	addr, family := src.Addr().Unmap(), byte(ipv4)
	if addr.Is6() {
		family = ipv6
	}
	key := data[4:stunHead] // the cookie and the id
	value := binary.BigEndian.AppendUint16([]byte{0, family}, src.Port()^uint16(stunCookie>>16))
	for i, b := range addr.AsSlice() {
		value = append(value, b^key[i])
	}
	out := be.AppendUint16(be.AppendUint16(nil, stunSuccess), uint16(attributeHead+len(value)))
	out = append(out, key...)
	out = be.AppendUint16(be.AppendUint16(out, stunMapped), uint16(len(value)))
	return bytes.Join([][]byte{out, value}, nil)
}
