from importlib.metadata import PackageNotFoundError, version


def _installed() -> str:
    try:
        return version("checkout-sdk")
    except PackageNotFoundError:  # run from a checkout that was not installed
        return "0+unknown"


VERSION = _installed()
