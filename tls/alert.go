package tls

import "strconv"

// Alert is an AlertDescription (RFC 8446 s.6).
type Alert uint8

// These are the alerts that a Session itself sends. During a handshake crypto/tls sends others.
const (
	AlertCloseNotify       Alert = 0
	AlertUnexpectedMessage Alert = 10
	AlertBadRecordMAC      Alert = 20
	AlertRecordOverflow    Alert = 22
	AlertIllegalParameter  Alert = 47
	AlertDecodeError       Alert = 50
	AlertInternalError     Alert = 80
	AlertUserCanceled      Alert = 90
)

var alertNames = map[Alert]string{
	AlertCloseNotify:       "close_notify",
	AlertUnexpectedMessage: "unexpected_message",
	AlertBadRecordMAC:      "bad_record_mac",
	AlertRecordOverflow:    "record_overflow",
	40:                     "handshake_failure",
	42:                     "bad_certificate",
	43:                     "unsupported_certificate",
	44:                     "certificate_revoked",
	45:                     "certificate_expired",
	46:                     "certificate_unknown",
	AlertIllegalParameter:  "illegal_parameter",
	48:                     "unknown_ca",
	49:                     "access_denied",
	AlertDecodeError:       "decode_error",
	51:                     "decrypt_error",
	70:                     "protocol_version",
	71:                     "insufficient_security",
	AlertInternalError:     "internal_error",
	86:                     "inappropriate_fallback",
	AlertUserCanceled:      "user_canceled",
	100:                    "no_renegotiation",
	109:                    "missing_extension",
	110:                    "unsupported_extension",
	112:                    "unrecognized_name",
	113:                    "bad_certificate_status_response",
	115:                    "unknown_psk_identity",
	116:                    "certificate_required",
	120:                    "no_application_protocol",
	121:                    "ech_required",
}

// String returns the name in RFC 8446 s.6, or the number.
func (a Alert) String() string {
	if s, ok := alertNames[a]; ok {
		return s
	}
	return number(uint8(a))
}

func number(n uint8) string { return strconv.Itoa(int(n)) }
