"""Sends mail."""

from datetime import UTC, datetime
from email.message import EmailMessage

from syncd.backup.plan import Mail
from syncd.errors import Unavailable


def send(mail: Mail, subject: str, text: str, at: float) -> None:
    """Send a text; raise Unavailable if the server does not take it.

    ``at`` is now, in seconds since 1970. It takes as long as the server does.
    """
    # Loaded only by those who want mail.
    import smtplib  # noqa: PLC0415
    import ssl  # noqa: PLC0415

    message = EmailMessage()
    message["From"] = mail.sender
    message["To"] = ", ".join(mail.to)
    message["Subject"] = subject
    message["Date"] = datetime.fromtimestamp(at, UTC)
    message.set_content(text)
    trusted = ssl.create_default_context()
    try:
        if mail.tls == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                mail.host, mail.port, timeout=mail.timeout, context=trusted
            )
        else:
            server = smtplib.SMTP(mail.host, mail.port, timeout=mail.timeout)
        with server:
            if mail.tls == "starttls":
                server.starttls(context=trusted)
            if mail.user:
                server.login(mail.user, mail.password)
            server.send_message(message)
    except (OSError, smtplib.SMTPException) as error:
        raise Unavailable(f"mail through {mail.host}:{mail.port}: {error}") from None
