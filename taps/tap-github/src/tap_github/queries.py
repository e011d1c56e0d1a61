"""GraphQL: what the REST API does not have, or ends before its end. One query a stream."""

DISCUSSIONS = """
query ($owner: String!, $repo: String!, $first: Int!, $after: String) {
  repository(owner: $owner, name: $repo) {
    discussions(first: $first, after: $after, orderBy: {field: UPDATED_AT, direction: DESC}) {
      pageInfo { hasNextPage endCursor }
      nodes {
        databaseId id number title body url locked closed stateReason isAnswered answerChosenAt upvoteCount
        authorAssociation createdAt updatedAt closedAt publishedAt
        author { login }
        category { name }
        comments { totalCount }
      }
    }
  }
}
"""

STARGAZERS = """
query ($owner: String!, $repo: String!, $first: Int!, $after: String) {
  repository(owner: $owner, name: $repo) {
    stargazers(first: $first, after: $after, orderBy: {field: STARRED_AT, direction: DESC}) {
      pageInfo { hasNextPage endCursor }
      edges { starredAt node { databaseId login } }
    }
  }
}
"""
