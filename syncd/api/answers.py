"""How an error becomes an HTTP answer: the status here, the words by dialect."""

from http import HTTPStatus

from syncd import errors

STATUS: dict[type[Exception], HTTPStatus] = {
    errors.SyncdError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.ConfigError: HTTPStatus.BAD_REQUEST,
    errors.BadRequest: HTTPStatus.BAD_REQUEST,
    errors.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.WrongType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.NotAllowed: HTTPStatus.FORBIDDEN,
    errors.NotLoggedIn: HTTPStatus.UNAUTHORIZED,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.NoRoom: HTTPStatus.INSUFFICIENT_STORAGE,
    errors.TooManyRequests: HTTPStatus.TOO_MANY_REQUESTS,
    errors.Damaged: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.AlreadyRunning: HTTPStatus.CONFLICT,
    errors.StorageError: HTTPStatus.BAD_GATEWAY,
    errors.StorageBusy: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.StorageChanged: HTTPStatus.CONFLICT,
    errors.StorageFull: HTTPStatus.INSUFFICIENT_STORAGE,
    errors.StorageReadOnly: HTTPStatus.INSUFFICIENT_STORAGE,
    errors.StorageUntrusted: HTTPStatus.SERVICE_UNAVAILABLE,
}


def answer(error: BaseException) -> tuple[HTTPStatus, str]:
    """Return the status and reason for an error; a bug tells the caller nothing."""
    for kind in type(error).__mro__:
        if kind in STATUS:
            return STATUS[kind], str(error)
    return HTTPStatus.INTERNAL_SERVER_ERROR, "internal error"
