import pytest


@pytest.fixture(autouse=True, scope="session")
def _cache_of_the_tests(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MICROGRAPHIA_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
