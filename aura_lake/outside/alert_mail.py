"""One mail, handed over by SMTP. No message holds what the server says of addresses, nor a password."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage

from aura_lake.errors import AlertRefused, AlertUnavailable
from aura_lake.people.settings import MailServer

#: Seconds to wait for each answer of the server.
ANSWER_SECONDS = 5.0


def send_mail(server: MailServer, mail: EmailMessage, *, seconds: float = ANSWER_SECONDS) -> None:
    """Hand a mail over. A login is only ever given over TLS.

    Raises AlertUnavailable where the server is away or says that it may work later (4xx), AlertRefused where not."""
    where = f"The mail server {server.host}:{server.port}"
    try:
        with _connect(server, seconds) as connection:
            if server.user:
                if not server.is_tls:
                    connection.starttls(context=ssl.create_default_context())
                connection.login(server.user, server.password.reveal())
            connection.send_message(mail)
    except smtplib.SMTPResponseException as error:
        if 400 <= error.smtp_code < 500:
            raise _away(where, f"it answers {error.smtp_code}") from None
        raise _refused(where, f"it answers {error.smtp_code}") from None
    except smtplib.SMTPRecipientsRefused as error:
        codes = sorted({code for code, _ in error.recipients.values()})
        if all(400 <= code < 500 for code in codes):
            raise _away(where, f"it answers {codes[0]} to the receivers") from None
        raise _refused(where, f"it answers {codes[-1]} to the receivers") from None
    except smtplib.SMTPNotSupportedError:
        raise _refused(where, "it offers no TLS or no login") from None
    except (smtplib.SMTPException, OSError) as error:
        raise _away(where, type(error).__name__) from None


def _connect(server: MailServer, seconds: float) -> smtplib.SMTP:
    if server.is_tls:
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(server.host, server.port, timeout=seconds, context=context)
    return smtplib.SMTP(server.host, server.port, timeout=seconds)


def _away(where: str, why: str) -> AlertUnavailable:
    return AlertUnavailable(f"{where} takes no mail now ({why}).", fix="It is told later, by itself.")


def _refused(where: str, why: str) -> AlertRefused:
    return AlertRefused(f"{where} refuses the mail ({why}).", fix="Mend the AURA_ALERT_MAIL_ settings.")
